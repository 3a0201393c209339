"""The timeouts of one attempt, in a loop whose clock jumps."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.timers import TimerWheel
from tests.upstream.clocks import in_no_time
from upstream.errors import CallError, Kind
from upstream.http.timeouts import AttemptTimer

SILENT = (Kind.TIMEOUT, "silent for {} s")


def silent(seconds: float) -> str:
    return f"silent for {seconds:.2f}".rstrip("0").rstrip(".") + " s"


def unanswered(seconds: float) -> str:
    return f"no complete answer within {seconds:.2f}".rstrip("0").rstrip(".") + " s"


async def wait(timer: AttemptTimer, seconds: float, limit_s: float | None) -> str:
    """Wait within a limit, and return the message if that expired, else ""."""
    try:
        with timer.waiting(limit_s, SILENT):
            await asyncio.sleep(seconds)
    except CallError as error:
        return error.message
    return ""


def run(coroutine: Coroutine[Any, Any, str]) -> tuple[str, float]:
    async def timed() -> tuple[str, float]:
        return await coroutine, round(asyncio.get_running_loop().time(), 6)

    return in_no_time(timed())


WAITS = st.lists(
    st.tuples(st.integers(1, 9_000), st.none() | st.integers(1, 9_000), st.integers(0, 3_000)), min_size=1, max_size=8
)


@given(WAITS, st.integers(1, 20_000))
def test_each_wait_and_the_whole_attempt_expire_on_time(waits: list[tuple[int, int | None, int]], whole: int) -> None:
    """For any sequence of waits (milliseconds, own limit) and pauses between them, which no limit interrupts."""
    expected, now = [], 0
    for takes, most, pause in waits:
        left = whole - now
        bound = left if most is None else min(most, left)
        if takes < bound:
            expected.append(("", now := now + takes))
        elif takes > bound:
            own = most is not None and most < left
            message = silent(bound / 1000) if own else unanswered(whole / 1000)
            expected.append((message, now := now + max(bound, 0)))
        else:
            return  # both at once: either is right
        now += pause

    async def play() -> list[tuple[str, int]]:
        loop = asyncio.get_running_loop()
        timer = AttemptTimer(TimerWheel(), whole / 1000)
        ended = []
        for takes, most, pause in waits:
            message = await wait(timer, takes / 1000, None if most is None else most / 1000)
            ended.append((message, round(loop.time() * 1000)))
            await asyncio.sleep(pause / 1000)
        timer.end()
        return ended

    assert in_no_time(play()) == expected


def test_a_pause_between_waits_is_not_interrupted() -> None:
    """The client may read slowly; only the next wait fails because the time is over."""

    async def play() -> str:
        timer = AttemptTimer(TimerWheel(), 10)
        assert await wait(timer, 1, 2) == ""
        await asyncio.sleep(60)
        return await wait(timer, 1, 2)

    assert run(play()) == ("no complete answer within 10 s", 61)


def test_after_the_end_even_ready_data_is_not_read() -> None:
    """Otherwise a stream that is always ahead of its reader would have no deadline."""

    async def play() -> str:
        timer = AttemptTimer(TimerWheel(), 10)
        assert await wait(timer, 1, 2) == ""
        await asyncio.sleep(60)
        try:
            with timer.waiting(None, SILENT):
                return "read"
        except CallError as error:
            return error.message

    assert run(play()) == ("no complete answer within 10 s", 61)


def test_another_task_may_do_the_next_wait() -> None:
    """As when one task waits for the first chunk, and another one reads the rest."""

    async def play() -> str:
        timer = AttemptTimer(TimerWheel(), 10)
        assert await asyncio.create_task(wait(timer, 1, None)) == ""
        return await wait(timer, 60, 3)

    assert run(play()) == ("silent for 3 s", 4)


def test_a_cancelled_task_stays_cancelled() -> None:
    """Also if the timeout expires in the same instant."""

    async def play() -> None:
        task = asyncio.create_task(wait(AttemptTimer(TimerWheel(), 5), 60, None))
        asyncio.get_running_loop().call_at(5, task.cancel)
        await task

    with pytest.raises(asyncio.CancelledError):
        in_no_time(play())


def test_a_timer_that_has_ended_cancels_nothing() -> None:
    """A quick attempt leaves no timer behind that could interrupt what its task does next."""

    async def play() -> str:
        timer = AttemptTimer(TimerWheel(), 5)
        assert await wait(timer, 1, 2) == ""
        timer.end()
        await asyncio.sleep(60)
        return "undisturbed"

    assert run(play()) == ("undisturbed", 61)
