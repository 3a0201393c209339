"""Scraped metrics agree with the requests."""

import asyncio
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from config.settings import Critic, Price, Server
from handlers.request_record import RequestRecord
from handlers.telemetry.metrics import Metrics
from synth.events import EvidenceFound
from synth.evidence.inquiry import Ranking, Standing
from tests.fakes import FakeUpstream, after, answer, hang, status
from tests.running import Gateway, Reply, ask, model, running, settings

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PRICE = Price(Decimal(3), Decimal(15), Decimal("0.3"))
DETAILS = {"cached_tokens": 800, "cache_write_tokens": 100}
CACHED = {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_tokens_details": DETAILS}


class Scrape:
    """Every sample of one scrape, as an official parser reads it."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self.samples = [sample for family in families for sample in family.samples]

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of all samples of this name that have these labels."""
        wanted = labels.items()
        return sum(each.value for each in self.samples if each.name == name and wanted <= each.labels.items())

    def values(self, name: str, label: str) -> set[str]:
        """Return every value that a label has under this name, except with a count of 0."""
        return {each.labels[label] for each in self.samples if each.name == name and each.value}


async def scraped(gateway: Gateway) -> Scrape:
    reply = await gateway.request("GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    return Scrape(text_string_to_metric_families(reply.raw.decode()))


def mom(reply: Reply) -> Any:
    """Return the `mom` of a reply's usage, in JSON or at the end of a stream."""
    body = reply.json if reply.headers["content-type"].startswith("application/json") else reply.events[-2]
    return body["usage"]["mom"]


async def test_the_sums_equal_the_ledger(upstream: FakeUpstream) -> None:
    """Requests, calls, attempts, tokens, money and bytes of a scripted run with a retry, a stream and a failure."""
    usage, refused = (100, 10), status(400)
    upstream.script("a", answer("one", usage=CACHED), status(503), *[answer("one", usage=usage)] * 2, refused)
    upstream.script("b", *[answer("two", usage=(90, 20))] * 2, answer("one", usage=(90, 20)), refused)
    upstream.script("c", *[answer("both", usage=(200, 30))] * 2, refused)
    models = [model(name, upstream, retries=1, price=PRICE) for name in "abc"]
    options = {"stream": True, "stream_options": {"include_usage": True}}
    bodies = [ask(), ask("Again?", **options), ask("Why not?"), ask("What?")]
    async with running(settings(models, panel=("a", "b"), critic=Critic("c"))) as gateway:
        replies = [await gateway.chat(body) for body in bodies]
        found = await scraped(gateway)
    *answered, failed = replies
    used = [mom(reply) for reply in answered]
    assert failed.status == 400
    assert found.sum("mom_requests_total", mixture="mom", mode="fuse", outcome="ok") == 3
    assert found.sum("mom_requests_total", outcome="failed") == found.sum("mom_errors_total") == 1
    assert found.sum("mom_request_seconds_count") == 4
    assert found.sum("mom_first_chunk_seconds_count", mixture="mom") == 1
    assert found.sum("mom_critic_skips_total", mixture="mom", reason="equal_candidates") == 1
    assert found.sum("mom_candidates_sum", mixture="mom") == 6
    assert found.sum("mom_calls_total", outcome="ok") == sum(each["calls"] for each in used)
    assert found.sum("mom_attempts_total") == found.sum("mom_first_byte_seconds_count") == len(upstream.requests)
    assert found.sum("mom_attempts_total", model="a", kind="first", outcome="server_error") == 1
    assert found.sum("mom_attempts_total", model="a", kind="retry", outcome="ok") == 1
    for kind in ("prompt", "completion"):
        assert found.sum("mom_tokens_total", kind=kind) == sum(each[f"{kind}_tokens"] for each in used)
    assert found.sum("mom_cached_tokens_total", model="a") == 800
    assert found.sum("mom_cache_write_tokens_total", model="a") == 100
    n_prompt = found.sum("mom_tokens_total", model="a", kind="prompt")
    assert found.sum("mom_cache_hit_ratio", model="a") == pytest.approx(800 / n_prompt)
    assert found.sum("mom_cost_total") == pytest.approx(sum(each["cost"] for each in used))
    assert found.sum("mom_cost_today") == pytest.approx(found.sum("mom_cost_total"))
    assert found.sum("mom_reply_bytes_total") == sum(len(reply.raw) for reply in replies)


async def test_bytes_of_requests_are_counted_as_they_came(upstream: FakeUpstream) -> None:
    """The body that was sent; a refused one counts as well, and a scrape does not."""
    bodies = [b'{"messages":[{"role":"user","content":"Why?"}]}', b"no JSON"]
    async with running(settings([model("a", upstream)])) as gateway:
        replies = [await gateway.chat(data=body, headers={"Content-Type": "application/json"}) for body in bodies]
        await scraped(gateway)
        found = await scraped(gateway)
    assert found.sum("mom_request_bytes_total") == sum(map(len, bodies))
    assert found.sum("mom_reply_bytes_total") == sum(len(reply.raw) for reply in replies)


async def test_a_hedge_is_seen(upstream: FakeUpstream) -> None:
    """Beside the attempt that it overtook."""
    upstream.script("a", hang(), answer("late"))
    async with running(settings([model("a", upstream, hedge_after_s=0.05)])) as gateway:
        assert (await gateway.chat()).text == "late"
        found = await scraped(gateway)
    assert found.sum("mom_attempts_total", kind="hedge", outcome="ok") == 1
    assert found.sum("mom_attempts_total", kind="first", outcome="cancelled") == 1
    assert found.values("mom_attempts_total", "kind") == {"first", "hedge"}


async def test_the_wait_after_a_quorum_is_measured(upstream: FakeUpstream) -> None:
    """It is the time that the panel waited for the other members."""
    gate = asyncio.Event()
    upstream.script("b", after(gate, answer("late")))
    waiting = settings([model(name, upstream) for name in "ab"], quorum=1, grace_s=300.0)
    async with running(waiting) as gateway:
        asking = asyncio.create_task(gateway.chat())
        await upstream.wait_for(2)
        gate.set()
        await asking
        await gateway.chat(ask(model="a"))
        found = await scraped(gateway)
    assert found.sum("mom_quorum_wait_seconds_count", mixture="mom") == 1
    assert 0 < found.sum("mom_quorum_wait_seconds_sum") < found.sum("mom_panel_seconds_sum")


async def test_without_a_quorum_there_is_no_wait_for_it(upstream: FakeUpstream) -> None:
    """A panel that waits for every member adds no value."""
    async with running(settings([model(name, upstream) for name in "ab"])) as gateway:
        await gateway.chat()
        found = await scraped(gateway)
    assert found.sum("mom_quorum_wait_seconds_count") == 0


async def test_a_client_that_left_is_counted(upstream: FakeUpstream) -> None:
    """As cancelled, with the usage of its calls until then."""
    upstream.default = hang()
    async with running(settings([model("a", upstream)])) as gateway:
        asking = asyncio.create_task(gateway.chat())
        (request,) = await upstream.wait_for(1)
        assert (await scraped(gateway)).sum("mom_requests_running") == 1
        asking.cancel()
        await asyncio.wait_for(request.disconnected.wait(), 30)
        found = await until(gateway, lambda found: found.sum("mom_requests_total") == 1)
    assert found.sum("mom_requests_total", outcome="cancelled") == 1
    assert found.sum("mom_attempts_total", outcome="cancelled") == 1


async def until(gateway: Gateway, told: Callable[[Scrape], bool]) -> Scrape:
    """Return the first scrape that has the expected values."""
    async with asyncio.timeout(30):
        while not told(found := await scraped(gateway)):
            pass
    return found


async def test_breakers_and_load_are_shown_as_they_are(upstream: FakeUpstream) -> None:
    """An open breaker is shown at once; a request outside the chat APIs counts as an error only."""
    upstream.default = status(401)
    server = Server(port=0, max_cost_per_day=Decimal(7))
    async with running(settings([model("a", upstream)], server=server)) as gateway:
        assert (await scraped(gateway)).sum("mom_breaker_state", model="a", state="closed") == 1
        await gateway.chat(ask())
        await gateway.request("GET", "/nowhere")
        found = await scraped(gateway)
    assert found.sum("mom_breaker_state", model="a", state="open") == 1
    assert found.sum("mom_requests_running") == 0
    assert found.sum("mom_requests_total") == 1
    assert found.sum("mom_errors_total", code="not_found") == 1
    assert found.sum("mom_ready") == 1
    assert found.sum("mom_cost_limit") == 7


async def test_openmetrics_tells_the_same(upstream: FakeUpstream) -> None:
    """A scraper that asks for it gets it, and its own parser reads it."""
    async with running(settings([model("a", upstream)])) as gateway:
        await gateway.chat()
        reply = await gateway.request("GET", "/metrics", headers={"Accept": OPENMETRICS})
        plain = await scraped(gateway)
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    read: Callable[[str], Iterable[Metric]] = openmetrics.text_string_to_metric_families
    found = Scrape(read(reply.raw.decode()))
    ours = {each.name for each in found.samples if each.name.startswith("mom_")}
    assert ours == {each.name for each in plain.samples if each.name.startswith("mom_")}
    assert found.sum("mom_request_seconds_bucket", le="+Inf") == found.sum("mom_request_seconds_count") == 1


async def test_names_that_clients_make_up_are_no_labels(upstream: FakeUpstream) -> None:
    """Whatever clients send, the sets of labels stay those of the configuration."""
    async with running(settings([model("a", upstream)])) as gateway:
        for name in ("x", "y"):
            await gateway.chat(ask(model=name), headers={"x-mom-mode": name})
            await gateway.request("GET", f"/{name}")
        found = await scraped(gateway)
    assert found.values("mom_errors_total", "code") == {"model_not_found", "not_found"}
    assert found.sum("mom_requests_total") == 0


def test_evidence_is_counted_by_its_signal() -> None:
    """With whether it decided the answer, and the result of each candidate."""
    standings = (Standing("a", passed_all=True), Standing("b", 1), Standing("c", 1))
    found = EvidenceFound(Ranking(standings, "examples", n_ran=3, n_unknown=1, run_s=0.02), decides=True)
    record = RequestRecord("chatcmpl-1", 0.0, mixture="mom", mode="select", decided_by="evidence", evidence=found)
    metrics = Metrics()
    metrics.count_request(record, 1.0)
    scrape = Scrape(metrics.families())
    assert scrape.sum("mom_evidence_total", mixture="mom", by="examples", decided="true") == 1
    assert scrape.sum("mom_evidence_seconds_sum", mixture="mom") == 0.02
    results = {
        each: scrape.sum("mom_evidence_candidates_total", result=each) for each in ("passed", "unknown", "other")
    }
    assert results == {"passed": 1, "unknown": 1, "other": 1}
    assert scrape.sum("mom_critic_skips_total", reason="evidence") == 1
