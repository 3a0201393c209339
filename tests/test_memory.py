"""The memory that a request leaves behind."""

import asyncio
import gc

from config.settings import Critic
from handlers.request_record import RequestRecord
from tests.fakes import FakeUpstream, answer, status
from tests.running import ask, model, running, settings

OURS = ("handlers.", "synth.", "upstream.", "config.")
N_REQUESTS = 10


async def test_an_idle_connection_holds_no_conversation(upstream: FakeUpstream) -> None:
    """The server keeps the last request of each until the next one comes, which may be an hour."""
    upstream.default = answer("same")
    async with running(settings([model("a", upstream)])) as gateway:
        assert (await gateway.chat(ask("a long conversation"))).status == 200
        assert (await gateway.request("GET", "/healthz")).status == 200  # by now the first one is written down
        assert (await gateway.chat(ask("a long conversation"))).status == 200
        for _ in range(3):
            await asyncio.sleep(0)
        gc.collect()
        kept = [each for each in gc.get_objects() if isinstance(each, RequestRecord) and each.ledger.calls]
    assert kept == []


async def test_no_request_waits_for_the_collector(upstream: FakeUpstream) -> None:
    """No object is part of a reference cycle: a conversation is freed when its reply has been sent."""
    for name in "abc":
        upstream.script(name, answer(f"the answer of {name}"))
    upstream.script("broken", status(400))
    models = [model(name, upstream) for name in ("a", "b", "c", "broken")]
    async with running(settings(models, panel=("a", "b"), critic=Critic("c"))) as gateway:
        bodies = [
            *[ask("q", model="mom"), ask("q", model="a"), ask("q", model="mom", stream=True)],
            *[
                ask("q", model="unknown"),
                {"messages": "none"},
                ask("q", model="broken"),
                ask("q", model="broken", stream=True),
            ],
        ]
        for body in bodies:  # what is made once
            assert (await gateway.chat(body)).status in (200, 400, 404)
        gc.collect()
        gc.disable()
        try:
            gc.set_debug(gc.DEBUG_SAVEALL)
            for _ in range(N_REQUESTS):
                for body in bodies:
                    await gateway.chat(body)
            gc.collect()
            left = {f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.garbage}
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert [name for name in sorted(left) if name.startswith(OURS)] == []
