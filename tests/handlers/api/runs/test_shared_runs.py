"""Runs that several clients share: events, payment, late clients, and the end of a run."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.api.runs import shared_runs
from handlers.api.runs.shared_runs import (
    MAX_BACKLOG_BYTES,
    MAX_KEY_BYTES,
    Replay,
    SharedRun,
    SharedRuns,
    identify_request,
    merge_deltas,
)
from handlers.request_record import RequestRecord
from synth.authoring.client_stream import MAX_DELTA_CHARS
from synth.events import Answered, DecidedBy, Emit, Event, Finished, ReasoningDelta, TextDelta
from synth.normalize import Completion
from tests.running import model
from upstream.calls import Call

FINISHED = Finished((Answered(Completion("x"), DecidedBy.MODEL, "a"),), 0.0)
KEY = ("chat", None, None, b"digest")


class Script:
    """A run that emits the test's events, and ends when the test says so."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Event | Exception | None] = asyncio.Queue()
        self.was_cancelled = False
        self.n_emitted = 0

    async def answer(self, emit: Emit) -> Finished:
        try:
            while (item := await self.queue.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                await emit(item)
                self.n_emitted += 1
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return FINISHED

    def says(self, *texts: str) -> None:
        for text in texts:
            self.queue.put_nowait(TextDelta(text))

    def ends(self, error: Exception | None = None) -> None:
        self.queue.put_nowait(error)


def text_of(event: Event) -> bytes:
    return event.text.encode() if isinstance(event, TextDelta) else b""


async def turns(n: int = 5) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


def begin(runs: SharedRuns, key: Any = KEY) -> tuple[SharedRun, Script]:
    run, script = runs.create(key), Script()
    run.start(script.answer)
    return run, script


async def read_all(subscription: Any) -> bytes:
    pieces = []
    while (data := await subscription.next()) is not None:
        pieces.append(data)
    return b"".join(pieces)


def record(name: str) -> RequestRecord:
    return RequestRecord(name)


async def test_a_late_client_receives_everything_from_the_beginning() -> None:
    """What was emitted before it came, and what comes after, in order and once."""
    runs = SharedRuns()
    run, script = begin(runs)
    first = run.subscribe(record("one"), text_of)
    script.says("a", "b")
    await turns()
    joined = runs.find(KEY)
    assert joined is run
    second = run.subscribe(record("two"), text_of)
    script.says("c")
    script.ends()
    assert list(await asyncio.gather(read_all(first), read_all(second))) == [b"abc", b"abc"]
    assert run.result() == FINISHED


async def test_an_ended_run_is_found_no_more() -> None:
    """A later identical request begins its own."""
    runs = SharedRuns()
    run, script = begin(runs)
    subscription = run.subscribe(record("one"), text_of)
    script.ends()
    assert await read_all(subscription) == b""
    await turns()
    assert runs.find(KEY) is None


async def test_a_run_whose_clients_have_left_is_found_no_more() -> None:
    """From the instant at which its task ends, even before the loop has called what waits for that end."""
    runs = SharedRuns()
    run, script = begin(runs)
    subscription = run.subscribe(record("one"), text_of)
    script.ends()
    await turns(1)
    assert run.is_over
    await run.leave(subscription)
    assert runs.find(KEY) is None


async def test_the_last_client_to_leave_cancels_the_run() -> None:
    """Any order of leaving: as long as one waits, the run goes on."""
    runs = SharedRuns()
    run, script = begin(runs)
    first, second = run.subscribe(record("one"), text_of), run.subscribe(record("two"), text_of)
    await turns()
    await run.leave(first)
    cancelled = [script.was_cancelled]
    await run.leave(second)
    assert [*cancelled, script.was_cancelled] == [False, True]
    assert runs.find(KEY) is None


async def test_each_call_is_paid_by_one_request() -> None:
    """The first client's record has the ledger; if it leaves, the next one's takes it over."""
    run, script = begin(SharedRuns())
    one, two = record("one"), record("two")
    first = run.subscribe(one, text_of)
    run.ledger.add(Call(model("a", "http://127.0.0.1:1/v1"), "proposer", [], {}, 9.0))
    second = run.subscribe(two, text_of)
    assert (len(one.ledger.calls), len(two.ledger.calls)) == (1, 0)
    assert (one.shared, two.shared, two.shared_with) == (None, "running", "one")
    await run.leave(first)
    assert (len(one.ledger.calls), len(two.ledger.calls)) == (0, 1)
    assert (one.shared, one.shared_with, two.shared) == ("left", "two", "running")
    script.ends()
    await read_all(second)
    await run.leave(second)
    assert len(two.ledger.calls) == 1


async def test_a_failure_reaches_every_client() -> None:
    """Each of them raises it; without a client the failure is still retrieved."""
    run, script = begin(SharedRuns())
    first, second = run.subscribe(record("one"), text_of), run.subscribe(record("two"), text_of)
    script.says("begun")
    script.ends(ValueError("no"))
    assert list(await asyncio.gather(read_all(first), read_all(second))) == [b"begun", b"begun"]
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            run.result()


async def test_a_client_that_hangs_does_not_hold_up_another() -> None:
    """The run waits only if its fastest client is behind; a hung one catches up, or goes."""
    run, script = begin(SharedRuns())
    hung, quick = run.subscribe(record("one"), text_of), run.subscribe(record("two"), text_of)
    piece = "x" * (MAX_BACKLOG_BYTES + 1)
    script.says(piece, piece, piece)
    await turns()
    assert script.n_emitted == 0
    for expected in (1, 2, 3):
        assert await quick.next() == piece.encode()
        await turns()
        assert script.n_emitted == expected
    script.ends()
    assert await read_all(hung) == 3 * piece.encode()


async def test_the_run_continues_when_the_fastest_client_leaves() -> None:
    """Leaving counts as progress: the run checks the remaining clients again."""
    run, script = begin(SharedRuns())
    one, two = run.subscribe(record("one"), text_of), run.subscribe(record("two"), text_of)
    script.says("x" * (MAX_BACKLOG_BYTES + 1), "y")
    await turns()
    assert script.n_emitted == 0
    await run.leave(one)
    assert len(await two.next() or b"") == MAX_BACKLOG_BYTES + 1
    script.ends()
    assert await read_all(two) == b"y"


@pytest.mark.parametrize(("limit", "value"), [("MAX_KEPT_EVENTS", 3), ("MAX_KEPT_CHARS", 30)])
async def test_events_kept_for_late_clients_are_bounded(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    """Beyond the bound no client can join, and those already there miss no event."""
    monkeypatch.setattr(shared_runs, limit, value)
    runs = SharedRuns()
    run, script = begin(runs)
    subscription = run.subscribe(record("one"), text_of)
    for _ in range(4):
        assert runs.find(KEY) is run
        script.says("ten chars.")
        await turns()
    assert runs.find(KEY) is None
    script.ends()
    assert await read_all(subscription) == b"ten chars." * 4


async def test_a_request_without_a_key_shares_with_none() -> None:
    """The key None never matches."""
    runs = SharedRuns()
    run, script = begin(runs, None)
    subscription = run.subscribe(record("one"), text_of)
    assert runs.find(None) is None
    script.ends()
    await read_all(subscription)


def replay(size: int, expires: float) -> Replay:
    return Replay(b"x" * size, record("one"), expires)


def test_a_reply_is_given_again_until_it_expires() -> None:
    """Only to an identical request."""
    runs = SharedRuns()
    runs.keep_replay(KEY, replay(5, 10.0), 0.0)
    assert runs.find_replay(KEY, 9.9) == replay(5, 10.0)
    assert runs.find_replay(("chat", "other", None, b"digest"), 9.9) is None
    assert runs.find_replay(None, 9.9) is None
    assert runs.find_replay(KEY, 10.0) is None
    assert runs.find_replay(KEY, 0.0) is None


def test_replies_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large one is not kept, and the oldest make room for a new one."""
    monkeypatch.setattr(shared_runs, "MAX_REPLAY_BYTES", 40)
    monkeypatch.setattr(shared_runs, "MAX_REPLAYS_BYTES", 100)
    runs = SharedRuns()

    def key(number: int) -> shared_runs.RunKey:
        return ("chat", None, None, bytes([number]))

    runs.keep_replay(key(0), replay(41, 99.0), 0.0)
    for number in range(1, 5):
        runs.keep_replay(key(number), replay(40, 99.0), 0.0)
    assert [runs.find_replay(key(number), 1.0) is not None for number in range(5)] == [False, False, False, True, True]


DELTAS = st.builds(TextDelta, st.text(max_size=9), st.integers(0, 1)) | st.builds(
    ReasoningDelta, st.text(max_size=9), st.integers(0, 1), st.sampled_from(["", "signed"])
)


@given(st.lists(DELTAS | st.just(FINISHED), max_size=40))
def test_merged_deltas_say_the_same(events: list[Event]) -> None:
    """Each choice's text and signatures in the same order, other events in their places."""

    def flat(events: list[Event]) -> list[Any]:
        said: list[Any] = []
        for event in events:
            if isinstance(event, TextDelta | ReasoningDelta):
                said += [(type(event), event.choice, character) for character in event.text]
                said += [event.signature] if isinstance(event, ReasoningDelta) and event.signature else []
            else:
                said.append(event)
        return said

    merged = merge_deltas(events)
    assert flat(merged) == flat(events)
    assert len(merged) <= len(events)


def test_merged_deltas_stay_short() -> None:
    """No longer than what one event of a stream may carry."""
    merged = merge_deltas([TextDelta("x" * 900) for _ in range(100)])
    assert max(len(event.text) for event in merged if isinstance(event, TextDelta)) <= MAX_DELTA_CHARS
    assert len(merged) == 20


@pytest.mark.parametrize("n_bytes", [10, MAX_KEY_BYTES, MAX_KEY_BYTES + 1, 2**20 + 1])
async def test_a_key_stands_for_the_whole_body_and_stays_small(n_bytes: int) -> None:
    """Of any length: the same bytes have the same key, and one other byte, mode, client or API has another."""
    body = b"x" * n_bytes
    key = await identify_request("chat", "me", "fuse", body)
    assert key == await identify_request("chat", "me", "fuse", bytes(bytearray(body)))
    others = [("ask", "me", "fuse", body), ("chat", None, "fuse", body), ("chat", "me", None, body)]
    others += [("chat", "me", "fuse", body[:-1] + b"y"), ("chat", "me", "fuse", body + b"x")]
    assert key not in [await identify_request(*other) for other in others]
    assert len(key[3]) <= MAX_KEY_BYTES
