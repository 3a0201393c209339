"""An embedded model that no mixture uses is loaded by the first request for it by name."""

import asyncio
from pathlib import Path

import pytest

from config.settings import Alias, Critic
from handlers.lifecycle.resources import RESOURCES
from tests.embedded_gateway import on_stand_in, pid_of, tiny
from tests.fakes import FakeUpstream, answer
from tests.processes import PATIENCE_S
from tests.running import ask, model, running, settings


async def test_the_first_request_loads_it(
    upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name or an alias; the gateway is ready before, and no child runs for requests to mixtures."""
    on_stand_in(monkeypatch)
    upstream.default = answer("hosted")
    idle = tiny(tmp_path)
    config = settings(
        [model("a", upstream), idle], panel=("a",), critic=Critic("a"), aliases=(Alias("small", idle.name),)
    )
    async with running(config) as gateway:
        assert gateway.app is not None
        assert (await gateway.request("GET", "/readyz")).status == 200
        assert (await gateway.chat()).text == "hosted"
        children = gateway.app[RESOURCES]._embedded
        assert children is not None
        assert children.list_statuses() == ()
        asking = asyncio.create_task(gateway.chat(ask(model="small")))  # the stand-in never ends its answer
        async with asyncio.timeout(PATIENCE_S):
            while [status.phase for status in children.list_statuses()] != ["ready"]:  # noqa: ASYNC110 -- a process
                await asyncio.sleep(0.01)
        assert await pid_of(gateway, idle) > 0
        asking.cancel()
