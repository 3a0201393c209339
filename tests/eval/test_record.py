"""What was recorded is replayed byte for byte, to every arm, and nothing else is."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.settings import Model
from eval.record import NotRecordedError, Record, RecordedPool, key_of
from tests.fakes import FakeUpstream, answer, status
from tests.running import model
from upstream.calls import Call
from upstream.errors import CallError

PROVENANCE = {"seed": 1, "config": "c0ffee", "runtime": "fake 1"}
ODD = "a\u2028b \u00e4\u200d\n\t\x7f end"


@asynccontextmanager
async def pool(models: list[Model], record: Record, **options: Any) -> AsyncGenerator[RecordedPool]:
    """Run a recording pool."""
    made = RecordedPool(models, record, provenance=PROVENANCE, **options)
    try:
        yield made
    finally:
        await made.close()


def call(pool: RecordedPool, asked: Model, text: str = "Why?", **params: Any) -> Call:
    """Return a call that has a minute."""
    messages = [{"role": "user", "content": text}]
    return Call(asked, "proposer", messages, params, deadline=pool.clock() + 60, alias="")


async def test_a_replay_is_byte_for_byte(upstream: FakeUpstream, tmp_path: Path) -> None:
    """The same JSON comes again, from the file, with its tokens and its time; the upstream hears of it once."""
    upstream.script("a", answer(ODD), answer("another"))
    asked = model("a", upstream)
    path = tmp_path / "record.jsonl"
    async with pool([asked], Record(path)) as recording:
        live = call(recording, asked)
        first = await recording.complete(live)
    async with pool([asked], Record(path), asks=False) as replaying:
        replayed = call(replaying, asked)
        second = await replaying.complete(replayed)
    assert json.dumps(second) == json.dumps(first)
    assert first["choices"][0]["message"]["content"] == ODD
    assert replayed.usage == live.usage
    assert live.started is not None
    assert live.ended is not None
    [attempt] = replayed.attempts
    assert attempt.ended is not None
    assert attempt.ended - attempt.started == pytest.approx(live.ended - live.started)
    assert len(upstream.requests) == 1


async def test_another_question_is_another_call(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Messages, params and the model's id tell calls apart; its configured name does not."""
    asked = model("a", upstream)
    async with pool([asked], Record(tmp_path / "record.jsonl")) as recording:
        key = key_of(call(recording, asked), "fake 1")
        assert key == key_of(call(recording, replace(asked, name="b")), "fake 2")
        others = [
            call(recording, asked, "How?"),
            call(recording, asked, seed=2),
            call(recording, replace(asked, params={"temperature": 1})),
            call(recording, replace(asked, model="c")),
            call(recording, replace(asked, base_url="http://127.0.0.1:1/v1")),
        ]
    assert len({key, *(key_of(other, "fake 1") for other in others)}) == 6


async def test_nothing_is_asked_that_may_not_be(upstream: FakeUpstream, tmp_path: Path) -> None:
    asked = model("a", upstream)
    async with pool([asked], Record(tmp_path / "record.jsonl"), asks=False) as replaying:
        with pytest.raises(NotRecordedError):
            await replaying.complete(call(replaying, asked))
    assert upstream.requests == []


async def test_failures_are_asked_again(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Only answers are kept."""
    upstream.script("a", status(400), answer("fine"))
    asked = model("a", upstream, retries=0)
    record = Record(tmp_path / "record.jsonl")
    async with pool([asked], record) as recording:
        with pytest.raises(CallError):
            await recording.complete(call(recording, asked))
        assert len(record) == 0
        await recording.complete(call(recording, asked))
    assert len(record) == 1


async def test_a_torn_line_costs_only_itself(upstream: FakeUpstream, tmp_path: Path) -> None:
    """A run that was killed while it wrote goes on with what it had, and says where all of it is from."""
    asked = model("a", upstream)
    path = tmp_path / "record.jsonl"
    async with pool([asked], Record(path)) as recording:
        await recording.complete(call(recording, asked, "one"))
    path.write_bytes(path.read_bytes() + path.read_bytes()[:40])
    async with pool([asked], Record(path)) as recording:
        await recording.complete(call(recording, asked, "two"))
    again = Record(path)
    assert len(again) == 2
    assert again.provenances() == []
    async with pool([asked], again, asks=False) as replaying:
        await replaying.complete(call(replaying, asked, "one"))
        await replaying.complete(call(replaying, asked, "two"))
    assert again.provenances() == [PROVENANCE]
