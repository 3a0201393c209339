"""Several choices at the same time, whose events one task emits."""

import asyncio

import pytest

from synth.authoring.side_by_side import make_side_by_side
from synth.events import Answered, Cause, DecidedBy, Emit, Event, SynthesisError, TextDelta
from synth.normalize import Completion
from tests.upstream.clocks import settle
from upstream.errors import CallError, Kind


def answered(choice: int) -> Answered:
    return Answered(Completion(f"answer {choice}"), DecidedBy.MODEL, "a", choice)


def failure(model: str) -> SynthesisError:
    return SynthesisError([Cause(model, CallError(Kind.EMPTY, "nothing"))])


async def test_answers_are_in_order_and_every_event_is_emitted(emit: Emit, events: list[Event]) -> None:
    """Even if the second choice is complete first."""
    second_first = asyncio.Event()

    async def make(emit: Emit, choice: int) -> Answered:
        if choice == 0:
            await second_first.wait()
        await emit(TextDelta(str(choice), choice))
        second_first.set()
        return answered(choice)

    assert await make_side_by_side(2, make, emit, spare=False) == [answered(0), answered(1)]
    assert sorted(events, key=lambda each: getattr(each, "choice", 0)) == [
        TextDelta("0", 0),
        answered(0),
        TextDelta("1", 1),
        answered(1),
    ]


async def test_a_failing_choice_cuts_off_no_event(events: list[Event]) -> None:
    """It ends the other choices after the event that is just being written."""
    failing = asyncio.Event()

    async def make(emit: Emit, choice: int) -> Answered:
        if choice == 1:
            await failing.wait()
            raise failure("b")
        while True:
            await emit(TextDelta("word", choice))

    async def slow(event: Event) -> None:
        failing.set()
        await settle()
        events.append(event)

    with pytest.raises(SynthesisError):
        await make_side_by_side(2, make, slow, spare=False)
    assert events
    assert all(event == TextDelta("word", 0) for event in events)


async def test_with_spare_one_answer_is_enough(emit: Emit) -> None:
    """The failures are raised only if all choices fail."""

    async def make(_tell: Emit, choice: int) -> Answered:
        if choice == 1:
            return answered(1)
        raise failure(f"model {choice}")

    assert await make_side_by_side(3, make, emit, spare=True) == [answered(1)]
    with pytest.raises(SynthesisError, match="model 0: nothing; model 2: nothing"):
        await make_side_by_side(3, lambda each, choice: make(each, 2 * (choice % 2)), emit, spare=True)


async def test_an_emit_that_raises_cancels_every_choice(events: list[Event]) -> None:
    """A client has left: all choices have ended before the error is raised."""
    ended: list[int] = []

    async def make(emit: Emit, choice: int) -> Answered:
        try:
            while True:
                await emit(TextDelta("word", choice))
        finally:
            ended.append(choice)

    async def gone(event: Event) -> None:
        events.append(event)
        await asyncio.sleep(0)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await make_side_by_side(2, make, gone, spare=True)
    assert (len(events), sorted(ended)) == (1, [0, 1])


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def emit(events: list[Event]) -> Emit:
    async def take(event: Event) -> None:
        events.append(event)

    return take
