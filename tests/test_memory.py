"""What a request leaves behind."""

import gc

from config.settings import Critic
from tests.fakes import FakeUpstream, answer
from tests.running import ask, model, running, settings

OURS = ("handlers.", "synth.", "upstream.", "config.")
N_REQUESTS = 10


async def test_no_request_waits_for_the_collector(upstream: FakeUpstream) -> None:
    """Nothing of ours holds itself: long conversations go when their reply is out, and not whenever somebody looks."""
    for name in "abc":
        upstream.script(name, answer(f"the answer of {name}"))
    models = [model(name, upstream) for name in "abc"]
    async with running(settings(models, panel=("a", "b"), critic=Critic("c"))) as gateway:
        bodies = [ask("q", model="mom"), ask("q", model="a"), ask("q", model="mom", stream=True)]
        for body in bodies:  # what is made once
            assert (await gateway.chat(body)).status == 200
        gc.collect()
        gc.disable()
        try:
            gc.set_debug(gc.DEBUG_SAVEALL)
            for _ in range(N_REQUESTS):
                for body in bodies:
                    assert (await gateway.chat(body)).status == 200
            gc.collect()
            left = {f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.garbage}
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert [name for name in sorted(left) if name.startswith(OURS)] == []
