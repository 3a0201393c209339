"""What an operator scrapes equals what happened."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from config.settings import Critic
from tests.fakes import FakeUpstream, answer, status
from tests.running import Gateway, ask, model, running, settings


async def scraped(gateway: Gateway) -> dict[tuple[str, Any], float]:
    """Return every sample by its name and labels, as the official parser reads it."""
    reply = await gateway.request("GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(reply.raw.decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def labels(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))


async def test_the_sums_equal_the_ledger(upstream: FakeUpstream) -> None:
    """Requests, calls, attempts, tokens and skips of a scripted run."""
    upstream.script("a", answer("one", usage=(100, 10)), status(503), answer("one", usage=(100, 10)))
    upstream.script("b", answer("two", usage=(90, 20)), answer("one", usage=(90, 20)))
    upstream.script("c", answer("both", usage=(200, 30)))
    models = [model(name, upstream, retries=1) for name in "abc"]
    async with running(settings(models, panel=("a", "b"), critic=Critic("c"))) as gateway:
        usages = [(await gateway.chat()).json["usage"]["mom"] for _ in range(2)]
        found = await scraped(gateway)
    assert found["mom_requests_total", labels(mixture="mom", mode="fuse", outcome="ok")] == 2
    assert found["mom_critic_skips_total", labels(mixture="mom", reason="equal_candidates")] == 1
    assert found["mom_attempts_total", labels(model="a", outcome="server_error")] == 1
    assert found["mom_calls_total", labels(model="c", role="critic", outcome="ok")] == 1
    for kind in ("prompt", "completion"):
        total = sum(value for (name, of), value in found.items() if name == "mom_tokens_total" and ("kind", kind) in of)
        assert total == sum(usage[f"{kind}_tokens"] for usage in usages)
    assert found["mom_candidates_sum", labels(mixture="mom")] == 4


async def test_breakers_and_load_are_shown_as_they_are(upstream: FakeUpstream) -> None:
    """A model that is shut off is seen at once; what is no chat request is not counted."""
    upstream.default = status(401)
    async with running(settings([model("a", upstream)])) as gateway:
        assert (await scraped(gateway))["mom_breaker_state", labels(model="a", state="closed")] == 1
        await gateway.chat(ask())
        await gateway.request("GET", "/nowhere")
        found = await scraped(gateway)
    assert found["mom_breaker_state", labels(model="a", state="open")] == 1
    assert found["mom_requests_running", ()] == 0
    assert sum(value for (name, _), value in found.items() if name == "mom_requests_total") == 1
