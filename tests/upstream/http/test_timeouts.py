"""What an attempt is allowed to wait, in a loop whose time jumps."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.timers import Alarms
from tests.upstream.clocks import in_no_time
from upstream.errors import CallError, Kind
from upstream.http.timeouts import Allowance

SILENT = (Kind.TIMEOUT, "the reply fell silent for too long")
WHOLE = "no complete answer in time"


async def waited(allowance: Allowance, seconds: float, most_s: float | None) -> str:
    """Return how one wait ended: "" where it took its time."""
    try:
        with allowance.waiting(most_s, SILENT):
            await asyncio.sleep(seconds)
    except CallError as error:
        return error.message
    return ""


def ended_at(coroutine: Coroutine[Any, Any, str]) -> tuple[str, float]:
    async def timed() -> tuple[str, float]:
        return await coroutine, round(asyncio.get_running_loop().time(), 6)

    return in_no_time(timed())


WAITS = st.lists(
    st.tuples(st.integers(1, 9_000), st.none() | st.integers(1, 9_000), st.integers(0, 3_000)), min_size=1, max_size=8
)


@given(WAITS, st.integers(1, 20_000))
def test_each_wait_and_the_whole_end_when_they_should(waits: list[tuple[int, int | None, int]], whole: int) -> None:
    """Waits of so many milliseconds, each with a bound of its own, and pauses between them that nobody bounds."""
    expected, now = [], 0
    for takes, most, pause in waits:
        left = whole - now
        bound = left if most is None else min(most, left)
        if takes < bound:
            expected.append(("", now := now + takes))
        elif takes > bound:
            expected.append((SILENT[1] if most is not None and most < left else WHOLE, now := now + max(bound, 0)))
        else:
            return  # both at once: either is right
        now += pause

    async def play() -> list[tuple[str, int]]:
        loop = asyncio.get_running_loop()
        allowance = Allowance(Alarms(), whole / 1000)
        told = []
        for takes, most, pause in waits:
            said = await waited(allowance, takes / 1000, None if most is None else most / 1000)
            told.append((said, round(loop.time() * 1000)))
            await asyncio.sleep(pause / 1000)
        allowance.end()
        return told

    assert in_no_time(play()) == expected


def test_a_reader_that_takes_long_between_waits_is_left_alone() -> None:
    """It may be a client that reads slowly; only the next wait says that the time is over."""

    async def play() -> str:
        allowance = Allowance(Alarms(), 10)
        assert await waited(allowance, 1, 2) == ""
        await asyncio.sleep(60)
        return await waited(allowance, 1, 2)

    assert ended_at(play()) == (WHOLE, 61)


def test_after_the_end_not_even_what_is_there_is_taken() -> None:
    """Else a stream that is always ahead of its reader would never be too late."""

    async def play() -> str:
        allowance = Allowance(Alarms(), 10)
        assert await waited(allowance, 1, 2) == ""
        await asyncio.sleep(60)
        try:
            with allowance.waiting(None, SILENT):
                return "taken"
        except CallError as error:
            return error.message

    assert ended_at(play()) == (WHOLE, 61)


def test_the_next_wait_may_be_another_task_s() -> None:
    """As where one task has waited for the first chunk, and another one reads on."""

    async def play() -> str:
        allowance = Allowance(Alarms(), 10)
        assert await asyncio.create_task(waited(allowance, 1, None)) == ""
        return await waited(allowance, 60, 3)

    assert ended_at(play()) == (SILENT[1], 4)


def test_who_is_cancelled_is_cancelled() -> None:
    """Also where the time runs out in the same instant."""

    async def play() -> None:
        task = asyncio.create_task(waited(Allowance(Alarms(), 5), 60, None))
        asyncio.get_running_loop().call_at(5, task.cancel)
        await task

    with pytest.raises(asyncio.CancelledError):
        in_no_time(play())


def test_after_its_end_nothing_rings() -> None:
    """An attempt that was quick leaves nothing behind that could cut what its task does next."""

    async def play() -> str:
        allowance = Allowance(Alarms(), 5)
        assert await waited(allowance, 1, 2) == ""
        allowance.end()
        await asyncio.sleep(60)
        return "undisturbed"

    assert ended_at(play()) == ("undisturbed", 61)
