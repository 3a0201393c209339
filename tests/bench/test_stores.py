"""The stores of the scenarios with a budget."""

import shutil
from pathlib import Path

import pytest

from bench.processes import ROOT, BrokenError
from bench.stores import add_budget, running_redis
from config import load
from store.redis_store import RedisStore

CONFIG = (ROOT / "bench" / "config.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("url", [None, "redis://127.0.0.1:1/0"])
def test_the_configuration_with_a_budget(tmp_path: Path, url: str | None) -> None:
    """It is that of the other scenarios, with a limit that makes every request ask the store."""
    (tmp_path / "config.yaml").write_text(add_budget(CONFIG, url))
    settings = load(tmp_path / "config.yaml", {"BENCH_UPSTREAM": "http://127.0.0.1:1/v1"})
    assert settings.has_daily_limits
    assert (settings.store.url and settings.store.url.value) == url
    assert all(model.price for model in settings.models)


def test_a_configuration_that_has_changed() -> None:
    """It is an error: a run without the budget would measure the wrong thing."""
    with pytest.raises(BrokenError, match="has changed"):
        add_budget("server: {}\n", None)


async def test_the_server_runs_for_the_block(tmp_path: Path) -> None:
    """It accepts writes until the block ends."""
    if shutil.which("redis-server") is None and shutil.which("valkey-server") is None:
        with pytest.raises(BrokenError, match="neither is installed"):
            async with running_redis(tmp_path):
                pass
        return
    async with running_redis(tmp_path) as url:
        store = RedisStore(url)
        await store.open()
        await store.close()
