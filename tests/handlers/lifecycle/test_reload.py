"""The reloader applies valid settings, keeps the old ones otherwise, and watches the file."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import structlog.testing

from config import ConfigError
from config.settings import ApiKey, Secret, Server, Settings, StoreSettings
from handlers.lifecycle.reload import Reloader, keep_fixed_settings
from tests.running import model, settings

KEYS = (ApiKey("client", Secret("k", "KEY")),)


def configured(**server: object) -> Settings:
    return settings([model("a", "http://h/v1")], server=replace(Server(), **server))  # type: ignore[arg-type]


def failing(error: Exception) -> Callable[[], Settings]:
    def read() -> Settings:
        raise error

    return read


async def applied(read: Callable[[], Settings], *, apply: Callable[[Settings], Awaitable[None]] | None = None) -> bool:
    """Reload once, and return whether the file counts as in force."""

    async def accept(_: Settings) -> None:
        pass

    reloader = Reloader(configured(), read, apply or accept)
    await reloader.reload()
    return reloader.is_current


async def test_valid_settings_are_applied() -> None:
    """With the new values."""
    seen: list[Settings] = []

    async def apply(new: Settings) -> None:
        seen.append(new)

    assert await applied(lambda: configured(usage="total"), apply=apply)
    assert [each.server.usage for each in seen] == ["total"]


async def test_each_problem_is_logged() -> None:
    """And the settings are not applied."""
    with structlog.testing.capture_logs() as logs:
        assert not await applied(failing(ConfigError("config.yaml:1: one", "config.yaml:2: two")))
    assert [entry["problem"] for entry in logs if "problem" in entry] == ["config.yaml:1: one", "config.yaml:2: two"]


async def test_an_unexpected_error_does_not_end_the_reloader() -> None:
    """Neither in reading nor in applying."""

    async def refuse(_: Settings) -> None:
        raise RuntimeError("no")

    with structlog.testing.capture_logs():
        assert not await applied(failing(RuntimeError("no")))
        assert not await applied(configured, apply=refuse)


@pytest.mark.parametrize("key", ["host", "port", "max_body_mb"])
def test_fixed_settings_keep_their_values(key: str) -> None:
    """They belong to the open socket; the log says that a restart is needed."""
    values = {"host": "::1", "port": 4711, "max_body_mb": 1.5}
    with structlog.testing.capture_logs() as logs:
        kept = keep_fixed_settings(configured(), configured(**{key: values[key], "usage": "total"}))
    assert getattr(kept.server, key) == getattr(Server(), key)
    assert kept.server.usage == "total"
    assert [entry["key"] for entry in logs] == [f"server.{key}"]


def test_the_store_is_kept_until_a_restart() -> None:
    """Its URL is not logged; what happens when it fails changes at once."""
    first = replace(configured(), store=StoreSettings(Secret("redis://:geheim@h", "A")))
    with structlog.testing.capture_logs() as logs:
        kept = keep_fixed_settings(first, replace(first, store=StoreSettings(Secret("redis://other", "B"), "refuse")))
    assert kept.store == replace(first.store, on_failure="refuse")
    assert [(entry["key"], "geheim" in str(entry)) for entry in logs] == [("store.url", False)]


def test_keys_cannot_be_removed_from_a_public_socket() -> None:
    """Otherwise any client could spend the operator's money."""
    public = configured(host="0.0.0.0", api_keys=KEYS)
    assert keep_fixed_settings(public, configured(api_keys=KEYS)).server.host == "0.0.0.0"
    with pytest.raises(ConfigError, match=r"server\.api_keys: must not be removed"):
        keep_fixed_settings(public, configured())


async def test_a_changed_file_is_reloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only if `watch` is on, and once for each change; a missing file is no change."""
    path, polls, n_reloads = tmp_path / "config.yaml", iter(["touch", "same", "remove", "rewrite", "stop"]), 0
    path.write_text("a")
    watching = replace(configured(watch=True), path=path)

    async def poll(_: float) -> None:
        action = next(polls)
        if action == "touch":
            path.write_text("bb")
        elif action == "remove":
            path.unlink()
        elif action == "rewrite":
            path.write_text("ccc")
        elif action == "stop":
            raise StopAsyncIteration

    async def apply(_: Settings) -> None:
        nonlocal n_reloads
        n_reloads += 1

    monkeypatch.setattr("handlers.lifecycle.reload.asyncio.sleep", poll)
    with pytest.raises((StopAsyncIteration, RuntimeError)):
        await Reloader(watching, lambda: watching, apply).watch()
    assert n_reloads == 2
