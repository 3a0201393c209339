"""Several choices side by side, told by one task."""

import asyncio

import pytest

from synth.authoring.side_by_side import side_by_side
from synth.events import Answered, Cause, DecidedBy, Emit, Event, SynthesisError, TextDelta
from synth.normalize import Completion
from tests.upstream.clocks import settle
from upstream.errors import CallError, Kind


def answered(choice: int) -> Answered:
    return Answered(Completion(f"answer {choice}"), DecidedBy.MODEL, "a", choice)


def failure(model: str) -> SynthesisError:
    return SynthesisError([Cause(model, CallError(Kind.EMPTY, "nothing"))])


async def test_the_answers_are_in_order_and_each_is_told(emit: Emit, told: list[Event]) -> None:
    """Whichever comes first."""
    second_first = asyncio.Event()

    async def make(emit: Emit, choice: int) -> Answered:
        if choice == 0:
            await second_first.wait()
        await emit(TextDelta(str(choice), choice))
        second_first.set()
        return answered(choice)

    assert await side_by_side(2, make, emit, spare=False) == [answered(0), answered(1)]
    assert sorted(told, key=lambda each: getattr(each, "choice", 0)) == [
        TextDelta("0", 0),
        answered(0),
        TextDelta("1", 1),
        answered(1),
    ]


async def test_what_is_being_told_is_told_to_its_end(told: list[Event]) -> None:
    """A choice that fails meanwhile ends the others, and cuts off no write to the client."""
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
        told.append(event)

    with pytest.raises(SynthesisError):
        await side_by_side(2, make, slow, spare=False)
    assert told
    assert all(event == TextDelta("word", 0) for event in told)


async def test_with_some_to_spare_one_answer_is_enough(emit: Emit) -> None:
    """The failures are told of only where nobody has answered."""

    async def make(_tell: Emit, choice: int) -> Answered:
        if choice == 1:
            return answered(1)
        raise failure(f"model {choice}")

    assert await side_by_side(3, make, emit, spare=True) == [answered(1)]
    with pytest.raises(SynthesisError, match="model 0: nothing; model 2: nothing"):
        await side_by_side(3, lambda each, choice: make(each, 2 * (choice % 2)), emit, spare=True)


async def test_who_is_told_may_end_it_all(told: list[Event]) -> None:
    """A client that has left: every choice is cancelled before that is known."""
    ended: list[int] = []

    async def make(emit: Emit, choice: int) -> Answered:
        try:
            while True:
                await emit(TextDelta("word", choice))
        finally:
            ended.append(choice)

    async def gone(event: Event) -> None:
        told.append(event)
        await asyncio.sleep(0)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await side_by_side(2, make, gone, spare=True)
    assert (len(told), sorted(ended)) == (1, [0, 1])


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def emit(told: list[Event]) -> Emit:
    async def take(event: Event) -> None:
        told.append(event)

    return take
