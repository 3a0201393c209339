"""The store for a configuration."""

import sys
from pathlib import Path

import pytest

from config.settings import Secret, StoreSettings
from store.choice import make_store
from store.store import StoreError


def test_a_url_precedes_a_folder_and_a_folder_memory(tmp_path: Path) -> None:
    """A server comes before a file, a file before memory."""
    url = StoreSettings(Secret("rediss://:secret@example.org:7000/2", "STORE_URL"))
    assert make_store(url, tmp_path).name == "rediss://example.org:7000/2"
    assert make_store(StoreSettings(), tmp_path).name == f"sqlite:{tmp_path}/state.db"
    assert make_store(StoreSettings(), None).name == "memory"


def test_a_missing_package_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the command that installs it."""
    monkeypatch.delitem(sys.modules, "store.redis_store", raising=False)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(
        StoreError, match=r"store\.url needs the package redis.*pip install -r .*/requirements-redis\.txt"
    ):
        make_store(StoreSettings(Secret("redis://h", "URL")), None)
