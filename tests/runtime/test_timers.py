"""The timer wheel, in a loop whose clock jumps."""

import asyncio
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from runtime.timers import Timer, TimerWheel
from tests.upstream.clocks import in_no_time

INSTANTS = st.floats(0, 5).map(lambda at: round(at, 3))


@given(st.lists(st.tuples(INSTANTS, INSTANTS, st.none() | INSTANTS), max_size=20))
def test_each_timer_is_called_once_unless_it_is_cancelled(
    plan: list[tuple[float, float, float | None]],
) -> None:
    """Whatever other timers are set before and after it; an instant in the past means now."""
    calls: dict[int, list[float]] = {number: [] for number in range(len(plan))}
    due: dict[int, float | None] = {}

    async def play() -> None:
        loop, timers = asyncio.get_running_loop(), TimerWheel()

        def start(number: int, at: float, until: float | None) -> None:
            timer = timers.call_at(at, lambda: calls[number].append(loop.time()))
            due[number] = max(at, loop.time())
            if until is not None:
                loop.call_at(until, cancel, number, timer)

        def cancel(number: int, timer: Timer) -> None:
            timer.cancel()
            if not calls[number]:
                due[number] = None

        for number, (begin, at, until) in enumerate(plan):
            loop.call_at(begin, start, number, at, until)
        await asyncio.sleep(11)

    in_no_time(play())
    for number, at in due.items():
        assert [round(instant, 6) for instant in calls[number]] == ([] if at is None else [round(at, 6)])


def test_timers_of_one_second_share_a_timer_of_the_loop() -> None:
    """A thousand timeouts that are cancelled at once leave one entry in the loop's heap."""

    async def play() -> int:
        loop, timers = asyncio.get_running_loop(), TimerWheel()
        with patch.object(loop, "call_at", wraps=loop.call_at) as call_at:
            for number in range(1000):
                timers.call_at(60.0 + number / 1000, loop.stop).cancel()
        return call_at.call_count

    assert in_no_time(play()) == 1


def test_a_cancelled_timer_keeps_nothing_alive() -> None:
    """It drops its callback, so that an attempt and its timer are freed by their reference counts."""

    async def play() -> bool:
        def callback() -> None:
            raise AssertionError

        timer = TimerWheel().call_at(60.0, callback)
        timer.cancel()
        return timer.callback is callback

    assert not in_no_time(play())
