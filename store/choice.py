"""Makes the store that a configuration asks for."""

from pathlib import Path

from config.extras import format_install_command
from config.settings import StoreSettings
from store.memory import MemoryStore
from store.sqlite_store import SqliteStore
from store.store import Store, StoreError

FILE_NAME = "state.db"


def make_store(settings: StoreSettings, state_dir: Path | None) -> Store:
    """Return the store of `store.url`, else that in `state_dir`, else one in memory; it is not open yet.

    Raises StoreError if the package for Redis is missing.
    """
    if settings.url is not None:
        try:
            from store.redis_store import RedisStore  # noqa: PLC0415 -- an extra package, and slow to import
        except ModuleNotFoundError as error:
            raise StoreError(
                f"store.url needs the package {error.name}: run {format_install_command('redis')}, or remove store.url"
            ) from error
        return RedisStore(settings.url.value)
    return MemoryStore() if state_dir is None else SqliteStore(state_dir / FILE_NAME)
