"""Reloads config.yaml and .env while the gateway runs: a valid file applies to new requests, a bad one is ignored."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import structlog
from aiohttp import web

from config import ConfigError
from config.sections.addresses import is_loopback
from config.settings import Settings

_log = structlog.get_logger(__name__)

POLL_INTERVAL_S = 1.0
_NEEDS_RESTART = ("host", "port", "max_body_mb")  # fixed in the socket and the application

_Stamp = tuple[int, int, int]


class Reloader:
    """Reloads the configuration on a signal or when its file changes.

    `read` returns the settings of the file or raises ConfigError; it runs in a thread. `apply` puts settings in force.
    `is_current` is False after a reload that failed.
    """

    def __init__(
        self, first: Settings, read: Callable[[], Settings], apply: Callable[[Settings], Awaitable[None]]
    ) -> None:
        self._settings = first
        self._read = read
        self._apply = apply
        self._lock = asyncio.Lock()
        self.is_current = True

    async def reload(self) -> None:
        """Apply the file's settings, or log each problem and keep the present ones."""
        async with self._lock:
            try:
                settings = keep_fixed_settings(self._settings, await asyncio.to_thread(self._read))
                await self._apply(settings)
            except ConfigError as error:
                self.is_current = False
                for problem in error.problems:
                    _log.error("configuration problem", problem=problem)
                _log.error("configuration not reloaded; the previous one stays in force", file=str(self._settings.path))
            except Exception:  # noqa: BLE001 -- a failed reload must not end the gateway
                self.is_current = False
                _log.exception("configuration could not be reloaded", file=str(self._settings.path))
            else:
                self._settings, self.is_current = settings, True
                _log.info("configuration reloaded", file=str(settings.path))

    async def reload_on(self, signalled: asyncio.Event) -> None:
        """Reload each time the event is set; runs until cancelled."""
        while True:
            await signalled.wait()
            signalled.clear()
            await self.reload()

    async def watch(self) -> None:
        """Reload each time the file changes while `server.watch` is on; runs until cancelled."""
        path = self._settings.path
        seen = await asyncio.to_thread(_read_stamp, path)
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            if not self._settings.server.watch:
                continue
            found = await asyncio.to_thread(_read_stamp, path)
            if found not in (None, seen):  # None: an editor may have removed the file for a moment
                seen = found
                await self.reload()


RELOADER = web.AppKey("reloader", Reloader)


def keep_fixed_settings(old: Settings, new: Settings) -> Settings:
    """Return the new settings with the old values of those that need a restart; each difference is logged.

    Raises ConfigError if the new settings require no keys although the socket can be reached from other machines.
    """
    if not is_loopback(old.server.host) and not new.server.api_keys:
        raise ConfigError(
            f"{new.path}: server.api_keys: must not be removed while the gateway listens on {old.server.host}: "
            "restart it"
        )
    fixed = {key: getattr(old.server, key) for key in _NEEDS_RESTART}
    for key, before in fixed.items():
        after = getattr(new.server, key)
        if before != after:
            _log.warning("takes effect after a restart", key=f"server.{key}", is_now=before, file_says=after)
    if old.store.url != new.store.url:
        _log.warning("takes effect after a restart", key="store.url")
    store = replace(new.store, url=old.store.url)
    return replace(new, server=replace(new.server, **fixed), store=store)


def _read_stamp(path: Path) -> _Stamp | None:
    """Return a value that changes with the file, or None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
