"""One slow or failing proposer does not hold up the answer of the others: the gateway over real sockets."""

import asyncio
import json
from pathlib import Path
from typing import Any

from config.settings import Critic
from tests.fakes import FakeUpstream, after, answer, hang, status
from tests.running import Reply, ask, model, running, settings

SOON_S, NEVER_S = 0.05, 300.0


async def gone(upstream: FakeUpstream, name: str) -> None:
    """Wait until the upstream has seen the last request for a model close."""
    await asyncio.wait_for(upstream.requests_for(name)[-1].disconnected.wait(), 30)


def calls_in(folder: Path, reply: Reply) -> tuple[Any, dict[str, Any]]:
    """Return a reply's trace, and the proposers' calls in it by their model."""
    trace = json.loads((folder / f"{reply.json['id']}.json").read_text())
    return trace, {call["model"]: call for call in trace["calls"] if call["role"] == "proposer"}


async def test_a_straggler_is_cancelled_after_quorum_and_grace(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Its upstream sees the close, the others' answer continues, and the trace and the ledger have its call."""
    upstream.default = answer("same", usage=(10, 5))
    upstream.script("c", hang())
    config = settings([model(name, upstream) for name in "abc"], quorum=2, grace_s=SOON_S)
    async with running(config, trace_dir=tmp_path) as gateway:
        reply = await gateway.chat()
        await gone(upstream, "c")
    assert reply.text == "same"
    assert reply.headers["x-mom-candidates"] == "2/3"
    assert reply.json["usage"]["mom"]["calls"] == 3
    assert reply.json["usage"]["mom"]["estimated"] is True
    trace, calls = calls_in(tmp_path, reply)
    assert [failure["kind"] for failure in trace["failures"]] == ["straggler"]
    assert calls["c"]["outcome"] == "cancelled"
    assert [attempt["outcome"] for attempt in calls["c"]["attempts"]] == ["cancelled"]


async def test_a_grace_may_be_relative(upstream: FakeUpstream) -> None:
    """A multiple of the time until the quorum wins over the seconds."""
    upstream.default = answer("same")
    upstream.script("c", hang())
    models = [model(name, upstream) for name in "abc"]
    async with running(settings(models, quorum=2, grace_s=NEVER_S, grace_ratio=0.5)) as gateway:
        assert (await gateway.chat()).headers["x-mom-candidates"] == "2/3"
        await gone(upstream, "c")


async def test_a_candidate_within_the_grace_counts(upstream: FakeUpstream) -> None:
    """The quorum cancels nobody at once."""
    gate = asyncio.Event()
    upstream.default = answer("same")
    upstream.script("c", after(gate, answer("same")))
    async with running(settings([model(name, upstream) for name in "abc"], quorum=1, grace_s=NEVER_S)) as gateway:
        asking = asyncio.create_task(gateway.chat())
        for request in await upstream.wait_for(3):
            if request.model != "c":
                await request.finished.wait()
        gate.set()
        assert (await asking).headers["x-mom-candidates"] == "3/3"


async def test_only_valid_candidates_make_a_quorum(upstream: FakeUpstream) -> None:
    """An answer that breaks the contract does not count."""
    gate = asyncio.Event()
    upstream.script("a", answer("no JSON, sorry"))
    upstream.script("b", after(gate, answer('{"n": 1}')))
    upstream.script("c", status(400))
    models = [model(name, upstream) for name in "abc"]
    config = settings(models, panel=("a", "b"), critic=Critic("c"), quorum=1, grace_s=0.0)
    async with running(config) as gateway:
        asking = asyncio.create_task(gateway.chat(ask(response_format={"type": "json_object"})))
        await upstream.wait_for(2)
        await upstream.requests_for("a")[0].finished.wait()
        gate.set()
        reply = await asking
    assert reply.headers["x-mom-candidates"] == "2/2"
    assert reply.text == '{"n": 1}'


async def test_a_retried_proposer_is_cut_off(upstream: FakeUpstream, tmp_path: Path) -> None:
    """It has retry_grace_s once the others have settled; its failure says why it was being retried."""
    upstream.default = answer("same")
    upstream.script("c", status(500), hang())
    config = settings([model(name, upstream) for name in "abc"], retry_grace_s=SOON_S)
    async with running(config, trace_dir=tmp_path) as gateway:
        reply = await gateway.chat()
        await gone(upstream, "c")
    assert reply.text == "same"
    trace, calls = calls_in(tmp_path, reply)
    (failure,) = trace["failures"]
    assert failure["kind"] == "retrying"
    assert "says 500" in failure["message"]
    assert calls["c"]["outcome"] == "cancelled"
    assert [attempt["outcome"] for attempt in calls["c"]["attempts"]] == ["server_error", "cancelled"]


async def test_a_late_failure_starts_the_retry_grace(upstream: FakeUpstream) -> None:
    """It begins with the failure if all others had settled before."""
    gate = asyncio.Event()
    upstream.default = answer("same")
    upstream.script("b", after(gate, status(500)), hang())
    async with running(settings([model(name, upstream) for name in "ab"], retry_grace_s=SOON_S)) as gateway:
        asking = asyncio.create_task(gateway.chat())
        await upstream.wait_for(2)
        await upstream.requests_for("a")[0].finished.wait()
        gate.set()
        assert (await asking).headers["x-mom-candidates"] == "1/2"
        await gone(upstream, "b")


async def test_a_retry_within_its_grace_counts(upstream: FakeUpstream) -> None:
    """A short fault costs no candidate."""
    upstream.default = answer("same")
    upstream.script("b", status(500), answer("same"))
    async with running(settings([model(name, upstream) for name in "ab"], retry_grace_s=NEVER_S)) as gateway:
        assert (await gateway.chat()).headers["x-mom-candidates"] == "2/2"


async def test_slow_is_not_failing(upstream: FakeUpstream) -> None:
    """Without a quorum a proposer at its first attempt is waited for."""
    gate = asyncio.Event()
    upstream.default = answer("same")
    upstream.script("b", after(gate, answer("same")))
    async with running(settings([model(name, upstream) for name in "ab"], retry_grace_s=0.0)) as gateway:
        asking = asyncio.create_task(gateway.chat())
        await upstream.wait_for(2)
        await upstream.requests_for("a")[0].finished.wait()
        gate.set()
        assert (await asking).headers["x-mom-candidates"] == "2/2"


async def test_the_only_proposer_left_is_retried_without_a_limit(upstream: FakeUpstream) -> None:
    """Without a candidate nobody waits for the retry in vain."""
    gate = asyncio.Event()
    upstream.script("a", status(400))
    upstream.script("b", status(500), after(gate, answer("worth the wait")))
    async with running(settings([model(name, upstream) for name in "ab"], retry_grace_s=0.0)) as gateway:
        asking = asyncio.create_task(gateway.chat())
        await upstream.wait_for(3)
        gate.set()
        assert (await asking).text == "worth the wait"


async def test_an_open_breaker_is_skipped_by_the_panel(upstream: FakeUpstream, tmp_path: Path) -> None:
    """The proposer is a failure at once, without a call, and the others answer."""
    upstream.default = answer("same")
    upstream.script("b", status(401))
    async with running(settings([model(name, upstream) for name in "ab"]), trace_dir=tmp_path) as gateway:
        await gateway.chat(ask(model="b"))
        skipped = await gateway.chat()
    trace, calls = calls_in(tmp_path, skipped)
    assert skipped.headers["x-mom-candidates"] == "1/2"
    assert len(upstream.requests_for("b")) == 1
    (failure,) = trace["failures"]
    assert failure["kind"] == calls["b"]["outcome"] == "breaker_open"
    assert "FAKE_API_KEY" in failure["message"]
    assert calls["b"]["attempts"] == []
