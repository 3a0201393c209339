"""Traces as they come out of the running gateway."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from config.settings import Critic
from tests.fakes import FakeUpstream, answer, hang, status
from tests.running import KEY, ask, model, running, settings
from upstream.pool import Pool


def traces(folder: Path) -> list[Any]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def everything_in(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.iterdir())


async def test_a_trace_tells_the_whole_story(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Request, attempts, candidates, order and seed, critic's messages, answer, ledger; credentials redacted."""
    upstream.script("a", status(503), answer("one"), answer("both"))
    upstream.script("b", answer("two"))
    async with running(settings([model(name, upstream) for name in "ab"]), trace_dir=tmp_path) as gateway:
        reply = await gateway.chat(ask("Go", top_k=3), headers={"Authorization": "Bearer client-secret-9"})
    (trace,) = traces(tmp_path)
    assert trace["id"] == reply.json["id"]
    assert (trace["outcome"], trace["status"], trace["decided_by"]) == ("ok", 200, "critic")
    assert trace["request"]["messages"] == [{"role": "user", "content": "Go"}]
    assert trace["request"]["params"] == {"top_k": 3}
    assert trace["request"]["headers"]["Authorization"] == "[redacted]"
    first = next(call for call in trace["calls"] if call["model"] == "a")
    assert [attempt["outcome"] for attempt in first["attempts"]] == ["server_error", "ok"]
    assert {candidate["text"] for candidate in trace["candidates"]} == {"one", "two"}
    (author,) = trace["authors"]
    assert set(author["letters"].values()) == {"a", "b"}
    assert isinstance(author["seed"], int)
    assert "BEGIN A" in author["messages"][-1]["content"]
    assert trace["answers"][0]["text"] == "both"
    assert trace["ledger"]["prompt_tokens"] == 33
    everything = everything_in(tmp_path)
    assert KEY not in everything
    assert "client-secret-9" not in everything
    assert "# chatcmpl-" in (tmp_path / f"{trace['id']}.md").read_text()


async def test_a_verdict_is_traced(upstream: FakeUpstream, tmp_path: Path) -> None:
    """What a critic says that chooses, in each order; its words are not the answer's."""
    upstream.script("a", answer('{"n": 1}'))
    upstream.script("b", answer('{"n": 2}'))
    upstream.script("c", answer("A\nIt is right.", reasoning="Both parse."))
    models = [model(name, upstream) for name in "abc"]
    config = settings(models, panel=("a", "b"), critic=Critic("c"), mode="select")
    async with running(config, trace_dir=tmp_path) as gateway:
        reply = await gateway.chat(ask(response_format={"type": "json_object"}))
    (trace,) = traces(tmp_path)
    said = [(author["said"]["text"], author["said"]["reasoning"]) for author in trace["authors"]]
    assert said == [("A\nIt is right.", "Both parse.")] * 2
    assert trace["answers"][0]["text"] == reply.text == '{"n": 1}'
    assert "Its pick:" in everything_in(tmp_path)


async def test_a_failed_request_is_traced(upstream: FakeUpstream, tmp_path: Path) -> None:
    """With each cause; also one that was no request at all."""
    upstream.default = status(400)
    async with running(settings([model(name, upstream) for name in "ab"]), trace_dir=tmp_path) as gateway:
        await gateway.chat()
        await gateway.chat({"messages": []})
    failed, refused = traces(tmp_path)
    assert (failed["outcome"], failed["status"]) == ("failed", 400)
    assert failed["failures"][0]["kind"] == "rejected"
    assert refused["error"]["param"] == "messages"
    assert refused["status"] == 400
    assert json.loads(refused["request"]["body"]) == {"messages": []}


async def test_a_cancelled_request_is_traced(upstream: FakeUpstream, tmp_path: Path) -> None:
    """With what had happened until the client left."""
    upstream.default = hang()
    async with running(settings([model(name, upstream) for name in "ab"]), trace_dir=tmp_path) as gateway:
        asking = asyncio.create_task(gateway.chat())
        await upstream.wait_for(2)
        asking.cancel()
        await asyncio.wait_for(upstream.requests[0].disconnected.wait(), 30)
    (trace,) = traces(tmp_path)
    assert trace["outcome"] == "cancelled"
    assert [call["outcome"] for call in trace["calls"]] == ["cancelled", "cancelled"]
    assert trace["ledger"]["estimated"] is True


async def test_traces_are_kept_whatever_else_fails_at_the_end(
    upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are needed most in that case."""
    close = Pool.close

    async def broken(pool: Pool) -> None:
        await close(pool)
        raise OSError("the pool cannot be closed")

    monkeypatch.setattr(Pool, "close", broken)
    upstream.default = answer("same")
    with pytest.raises(OSError, match="cannot be closed"):
        async with running(settings([model("a", upstream)]), trace_dir=tmp_path) as gateway:
            reply = await gateway.chat()
    assert (tmp_path / f"{reply.json['id']}.json").exists()
