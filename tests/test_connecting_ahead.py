"""The critic's upstream is connected to while the panel answers, where the panel has not done so: over real sockets."""

import asyncio
from typing import Any

import pytest

from config.settings import Critic, Settings
from tests.fakes import FakeUpstream, after, answer, refusing, unanswering
from tests.running import ask, model, running, settings


def apart(upstream: FakeUpstream, critic: FakeUpstream | str, **mixture: Any) -> Settings:
    """Return a panel of two at one upstream, whose critic is at another."""
    models = [model("a", upstream), model("b", upstream), model("c", critic, retries=0)]
    return settings(models, panel=("a", "b"), critic=Critic("c"), **{"mode": "fuse", **mixture})


async def test_the_critic_finds_a_connection_when_the_panel_has_answered(upstream: FakeUpstream) -> None:
    """And needs no other one."""
    gate = asyncio.Event()
    upstream.script("b", after(gate, answer("two")))
    async with FakeUpstream() as elsewhere, running(apart(upstream, elsewhere)) as gateway:
        asking = asyncio.create_task(gateway.chat())
        await upstream.wait_for(2)
        await elsewhere.wait_accepted(1)
        assert elsewhere.requests == []
        gate.set()
        assert (await asking).headers["x-mom-decided-by"] == "critic"
        assert (len(elsewhere.requests), elsewhere.connections) == (1, 1)
        await gateway.chat()
        assert (len(elsewhere.requests), elsewhere.connections) == (2, 1)


@pytest.mark.parametrize("mode", ["first", "direct"])
async def test_only_a_critic_that_will_be_asked_is_connected_to(upstream: FakeUpstream, mode: str) -> None:
    """`first` needs a critic only where all fail; `direct` asks it at once."""
    async with FakeUpstream() as elsewhere, running(apart(upstream, elsewhere, mode=mode)) as gateway:
        await gateway.chat()
        assert elsewhere.connections == len(elsewhere.requests) == (mode == "direct")


async def test_an_upstream_that_has_the_panel_s_connections_gets_no_other(upstream: FakeUpstream) -> None:
    """One of them is idle by the time."""
    async with running(settings([model(name, upstream) for name in "abc"], mode="fuse")) as gateway:
        await gateway.chat(ask())
        assert upstream.connections == 3


async def test_a_critic_that_cannot_be_reached_is_found_by_its_call_alone(upstream: FakeUpstream) -> None:
    """Connecting ahead counts nowhere: one attempt, one failure, and the best candidate stands."""
    upstream.script("b", answer("another"))
    with refusing() as base_url:
        async with running(apart(upstream, base_url)) as gateway:
            reply = await gateway.chat()
    assert reply.headers["x-mom-decided-by"] == "best_candidate"
    assert reply.json["usage"]["mom"]["calls"] == 3


async def test_connecting_ends_with_the_request(upstream: FakeUpstream) -> None:
    """Equal candidates need no critic, and nobody waits for its upstream."""
    upstream.default = answer("same")
    with unanswering() as base_url:
        async with running(apart(upstream, base_url)) as gateway:
            before = asyncio.all_tasks()
            reply = await gateway.chat()
            left = {task for task in asyncio.all_tasks() - before if "connect" in repr(task)}
    assert reply.headers["x-mom-decided-by"] == "equal_candidates"
    assert left == set()
