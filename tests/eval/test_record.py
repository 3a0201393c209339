"""Recorded answers, and no others, are replayed byte for byte to every arm."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.settings import Model, Weights
from eval.record import NotRecordedError, Record, Recorder, ReplayPool, key_of
from eval.virtual_time import VirtualTimeLoop, run_in_virtual_time
from tests.fakes import FakeUpstream, answer, status
from tests.running import model
from upstream.calls import Call
from upstream.errors import CallError
from upstream.pool import Pool

PROVENANCE = {"runtime": "fake 1"}
ODD = "a\u2028b \u00e4\u200d\n\t\x7f end"


@asynccontextmanager
async def recording(models: list[Model], record: Record) -> AsyncGenerator[Recorder]:
    """Run a recorder."""
    pool = Pool(models)
    try:
        yield Recorder(pool, record, PROVENANCE)
    finally:
        await pool.close()


def call(asked: Model, text: str = "Why?", **params: Any) -> Call:
    """Return a call."""
    messages = [{"role": "user", "content": text}]
    return Call(asked, "proposer", messages, params, deadline=60.0, alias="")


async def record_call(recorder: Recorder, made: Call) -> CallError | None:
    """Ask a call, as a measurement does when it is missing."""
    return await recorder.ask(key_of(made), made)


async def replay(
    record: Record, made: Call, failed: dict[str, CallError] | None = None
) -> tuple[dict[str, Any], float]:
    """Return the replayed completion, and how long it took in virtual time."""

    async def main(loop: VirtualTimeLoop) -> tuple[dict[str, Any], float]:
        return await ReplayPool([made.model], record, failed or {}).complete(made), loop.time()

    return await asyncio.to_thread(run_in_virtual_time, main)


async def test_a_replay_is_byte_for_byte(upstream: FakeUpstream, tmp_path: Path) -> None:
    """The same JSON comes again, from the file, with its tokens and after its time; the upstream hears of it once."""
    upstream.script("a", answer(ODD), answer("another"))
    asked = model("a", upstream)
    path = tmp_path / "record.jsonl"
    async with recording([asked], Record(path)) as recorder:
        assert await record_call(recorder, call(asked)) is None
    [row] = map(json.loads, path.read_text().splitlines())
    replayed = call(asked)
    completion, took = await replay(Record(path), replayed)
    assert json.dumps(completion) == row["completion"]
    assert completion["choices"][0]["message"]["content"] == ODD
    assert replayed.usage == completion["usage"]
    assert took == pytest.approx(row["seconds"])
    assert (replayed.outcome, len(replayed.attempts), len(upstream.requests)) == ("ok", 1, 1)


def test_another_question_is_another_call() -> None:
    """Messages, params and the model's id tell calls apart; its configured name, and how it is run, do not."""
    weights = Weights(name="small")
    asked = Model(name="a", base_url="", provider="embedded", api_key=None, model="small", weights=weights)
    key = key_of(call(asked))
    slow = replace(weights, context_tokens=99, slots=1, threads=1)
    assert key == key_of(call(replace(asked, name="b", weights=slow, max_concurrency=1, timeout_s=1)))
    others = [
        call(asked, "How?"),
        call(asked, seed=2),
        call(replace(asked, params={"temperature": 1})),
        call(replace(asked, model="c")),
        call(replace(asked, base_url="http://127.0.0.1:1/v1")),
        call(replace(asked, weights=Weights(name="other"))),
    ]
    assert len({key, *map(key_of, others)}) == 7


async def test_a_missing_recording_is_reported(tmp_path: Path) -> None:
    """A call that was never recorded is kept, by the key that it will be recorded under."""
    asked = model("a", "http://127.0.0.1:1/v1")
    pool = ReplayPool([asked], Record(tmp_path / "record.jsonl"), {})
    made = call(asked)
    with pytest.raises(NotRecordedError):
        await pool.complete(made)
    assert pool.missing == {key_of(made): made}
    with pytest.raises(NotRecordedError):
        pool.stream(made)


async def test_failures_are_not_recorded(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Only answers are kept; an error counts for the run in which it happened."""
    upstream.script("a", status(400), answer("fine"))
    asked = model("a", upstream, retries=0)
    record = Record(tmp_path / "record.jsonl")
    async with recording([asked], record) as recorder:
        error = await record_call(recorder, call(asked))
        assert isinstance(error, CallError)
        assert len(record) == 0
        with pytest.raises(CallError):
            await replay(record, call(asked), {key_of(call(asked)): error})
        assert await record_call(recorder, call(asked)) is None
    assert len(record) == 1


async def test_a_torn_line_costs_only_itself(upstream: FakeUpstream, tmp_path: Path) -> None:
    """A run that was killed while writing continues with its complete lines."""
    asked = model("a", upstream)
    path = tmp_path / "record.jsonl"
    async with recording([asked], Record(path)) as recorder:
        await record_call(recorder, call(asked, "one"))
    path.write_bytes(path.read_bytes() + b'{"format": 1, "key": "old"}\n' + path.read_bytes()[:40])
    async with recording([asked], Record(path)) as recorder:
        await record_call(recorder, call(asked, "two"))
    again = Record(path)
    assert len(again) == 2
    assert again.provenances() == []
    await replay(again, call(asked, "one"))
    await replay(again, call(asked, "two"))
    assert again.provenances() == [PROVENANCE]


async def test_a_replay_without_a_reader_is_cancelled(tmp_path: Path) -> None:
    """It counts in full, and as cancelled."""
    asked = model("a", "http://127.0.0.1:1/v1")
    made = call(asked)
    row = {"format": 2, "key": key_of(made), "seconds": 5.0, "provenance": PROVENANCE}
    row["completion"] = json.dumps({"choices": [{"message": {"content": "x"}}], "usage": {"completion_tokens": 3}})
    path = tmp_path / "record.jsonl"
    path.write_text(json.dumps(row) + "\n")

    async def main(loop: VirtualTimeLoop) -> float:
        pool = ReplayPool([asked], Record(path), {})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.0):
                await pool.complete(made)
        return loop.time()

    assert await asyncio.to_thread(run_in_virtual_time, main) == pytest.approx(2.0)
    assert made.outcome == "cancelled"
    assert made.attempts[0].usage == {"completion_tokens": 3}


def test_models_of_one_upstream_are_not_apart() -> None:
    """Two models of one upstream are not apart from each other."""
    first = model("a", "http://127.0.0.1:1/v1")
    others = [replace(first, name="b"), replace(first, name="c", base_url="http://127.0.0.1:2/v1")]

    async def main(_loop: VirtualTimeLoop) -> list[bool]:
        pool = ReplayPool([first, *others], Record(Path("nowhere")), {})
        async with pool.connected(first):
            return [pool.is_apart("a", ["c"]), pool.is_apart("a", ["b", "c"])]

    assert run_in_virtual_time(main) == [True, False]
