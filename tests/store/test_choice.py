"""Which store a configuration gets."""

from pathlib import Path

from config.settings import Secret, StoreSettings
from store.choice import make_store


def test_a_url_a_folder_or_neither(tmp_path: Path) -> None:
    """A server comes before a file, a file before memory."""
    url = StoreSettings(Secret("rediss://:secret@example.org:7000/2", "STORE_URL"))
    assert make_store(url, tmp_path).name == "rediss://example.org:7000/2"
    assert make_store(StoreSettings(), tmp_path).name == f"sqlite:{tmp_path}/state.db"
    assert make_store(StoreSettings(), None).name == "memory"
