"""Clients that send or read too slowly: their replies, and the resources of others."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from config.settings import Server, Settings
from handlers.gate.admission import ADMISSION
from handlers.gate.body_budget import BODY_BUDGET
from handlers.lifecycle import connections
from handlers.lifecycle.snapshots import SNAPSHOTS
from tests.fakes import FakeUpstream, answer
from tests.process_facts import n_descriptors
from tests.running import Gateway, model, running, settings
from tests.slow_clients import BEHAVIOURS, Client, an_unread_reply, an_unread_stream

WAIT_S = 60.0
LIMITS = Server(
    port=0,
    header_timeout_s=0.2,
    body_timeout_s=0.5,
    min_body_kb_per_s=1,
    write_timeout_s=0.5,
    keepalive_timeout_s=1.0,
    max_concurrent_requests=4,
    max_queued_requests=4,
)
LONG = "x" * 24_000_000


def limited(upstream: FakeUpstream) -> Settings:
    upstream.script("long", answer(LONG, piece_chars=60_000))
    upstream.script("a", answer("fine"))
    models = [model("a", upstream), model("long", upstream, max_concurrency=4, retries=0)]
    return settings(models, panel=("a",), server=LIMITS, deadline_s=1.0)


@pytest.mark.parametrize("behave", BEHAVIOURS, ids=lambda behave: behave.__name__)
async def test_a_slow_client_holds_no_resource(
    upstream: FakeUpstream, behave: Callable[[Client], Awaitable[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve of them at once; honest requests are served meanwhile, and at the end every resource is free again."""
    monkeypatch.setattr(connections, "SWEEP_EVERY_S", 0.05)
    status = BEHAVIOURS[behave]
    async with running(limited(upstream)) as gateway:
        assert (await gateway.chat()).status == 200
        before = await asyncio.to_thread(n_descriptors)
        clients = [Client(int(gateway.url.rsplit(":", 1)[1])) for _ in range(12)]
        async with asyncio.timeout(WAIT_S):
            for client in clients:
                await client.__aenter__()
            replies = asyncio.gather(*(behave(client) for client in clients))
            if behave not in (an_unread_stream, an_unread_reply):  # which may take every place until their deadline
                assert (await gateway.chat()).status == 200
            if status is not None:
                assert {reply.split(b" ")[1] for reply in await replies if reply} <= {status}
            else:
                await replies
            pooled = 2 * 4  # both ends of the connections that are kept to the upstream are in this process
            while not await _is_free(gateway, before + len(clients) + pooled):  # noqa: ASYNC110 -- it is looked at
                await asyncio.sleep(0.02)
            assert (await gateway.chat()).status == 200
            for client in clients:
                await client.__aexit__()


async def _is_free(gateway: Gateway, most_descriptors: int) -> bool:
    """Whether no place, no byte of the budget, no slot of a model and no connection of these clients is held."""
    assert gateway.app is not None
    admission, budget = gateway.app[ADMISSION], gateway.app[BODY_BUDGET]
    routes = gateway.app[SNAPSHOTS].current.pool._routes.values()
    return (
        admission.running == admission.waiting == 0
        and budget.n_bodies == budget.n_bytes == 0
        and all(route.slots.n_taken == 0 for route in routes)
        and await asyncio.to_thread(n_descriptors) <= most_descriptors
    )
