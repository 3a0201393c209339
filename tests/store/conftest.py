"""The stores that the contract holds for."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from store.memory import MemoryStore
from store.redis_store import RedisStore
from store.sqlite_store import SqliteStore
from store.store import Store
from tests.redis_server import RedisServer


@pytest.fixture
async def redis_server(tmp_path: Path) -> AsyncGenerator[RedisServer]:
    async with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Store]:
    async with AsyncExitStack() as stack:
        opened: Store = MemoryStore()
        if request.param == "sqlite":
            opened = SqliteStore(tmp_path / "state" / "state.db")
        if request.param == "redis":
            opened = RedisStore((await stack.enter_async_context(RedisServer(tmp_path))).url)
        await opened.open()
        stack.push_async_callback(opened.close)
        yield opened
