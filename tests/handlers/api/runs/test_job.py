"""Jobs: what the run of a request is charged to, and what it teaches, whichever clients are still there."""

import asyncio
from decimal import Decimal

from aiohttp import ClientSession

from config.settings import Price
from handlers.gate.spending import SPENDING
from handlers.lifecycle.snapshots import SNAPSHOTS
from tests.fakes import FakeUpstream, after, answer
from tests.running import Gateway, ask, model, running, settings


async def _leave_one_of_two(gateway: Gateway, upstream: FakeUpstream, gate: asyncio.Event) -> None:
    """Send one request from two clients; the first, which began the run, leaves before the answer."""
    assert gateway.app is not None
    async with ClientSession() as one, ClientSession() as two:
        first = asyncio.create_task(Gateway(gateway.url, one).chat())
        await upstream.wait_for(2)
        second = asyncio.create_task(Gateway(gateway.url, two).chat())
        (run,) = gateway.app[SNAPSHOTS].current.runs._running.values()
        while len(run._subscriptions) < 2:  # noqa: ASYNC110 -- a look inside the gateway
            await asyncio.sleep(0.005)
        first.cancel()
        await asyncio.wait([first])
        while len(run._subscriptions) > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        gate.set()
        assert (await second).status == 200


async def test_a_run_is_charged_once_although_its_first_client_has_left(upstream: FakeUpstream) -> None:
    """The request that began the run states the account; the client that stays gets the answer."""
    gate = asyncio.Event()
    price = Price(Decimal(10**6), Decimal(0))
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    for name in ("a", "b"):
        upstream.script(name, after(gate, answer("same", usage=usage)))
    async with running(settings([model(name, upstream, price=price) for name in ("a", "b")])) as gateway:
        await _leave_one_of_two(gateway, upstream, gate)
        assert gateway.app is not None
        assert await gateway.app[SPENDING].read_cost_today() == 6
    assert len(upstream.requests) == 2


async def test_a_run_teaches_although_its_first_client_has_left(upstream: FakeUpstream) -> None:
    """The answer that the second client got is remembered, so its next request can bring news of it."""
    gate = asyncio.Event()
    for name in ("a", "b"):
        upstream.script(name, after(gate, answer("the same long answer of both members")))
    async with running(settings([model(name, upstream) for name in ("a", "b")])) as gateway:
        await _leave_one_of_two(gateway, upstream, gate)
        complaint = ask("x")
        complaint["messages"] += [
            {"role": "assistant", "content": "the same long answer of both members"},
            {"role": "user", "content": "That's wrong."},
        ]
        await gateway.chat(complaint)
        assert gateway.app is not None
        loop = gateway.app[SNAPSHOTS].current.feedback
        assert loop is not None
        await loop.write()
        counts = {(each.member, each.name) for each in await loop.read_counts()}
    assert ("", "wrong") in counts
