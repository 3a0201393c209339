"""Alarms ring when they should, and those that are off never do; in a loop whose time jumps."""

import asyncio
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from runtime.timers import Alarm, Alarms
from tests.upstream.clocks import in_no_time

INSTANTS = st.floats(0, 5).map(lambda at: round(at, 3))


@given(st.lists(st.tuples(INSTANTS, INSTANTS, st.none() | INSTANTS), max_size=20))
def test_each_rings_once_at_its_instant_unless_it_is_off_by_then(plan: list[tuple[float, float, float | None]]) -> None:
    """Whenever it was set, whatever is set beside it: an instant that has passed is now."""
    rung: dict[int, list[float]] = {number: [] for number in range(len(plan))}
    due: dict[int, float | None] = {}

    async def play() -> None:
        loop, alarms = asyncio.get_running_loop(), Alarms()

        def put(number: int, at: float, until: float | None) -> None:
            alarm = alarms.set(at, lambda: rung[number].append(loop.time()))
            due[number] = max(at, loop.time())
            if until is not None:
                loop.call_at(until, off, number, alarm)

        def off(number: int, alarm: Alarm) -> None:
            alarm.off()
            if not rung[number]:
                due[number] = None

        for number, (begin, at, until) in enumerate(plan):
            loop.call_at(begin, put, number, at, until)
        await asyncio.sleep(11)

    in_no_time(play())
    for number, at in due.items():
        assert [round(instant, 6) for instant in rung[number]] == ([] if at is None else [round(at, 6)])


def test_what_is_far_off_shares_a_timer() -> None:
    """However many are set for one second: setting a thousand sets one."""

    async def play() -> int:
        loop, alarms = asyncio.get_running_loop(), Alarms()
        with patch.object(loop, "call_at", wraps=loop.call_at) as call_at:
            for number in range(1000):
                alarms.set(60.0 + number / 1000, loop.stop).off()
        return call_at.call_count

    assert in_no_time(play()) == 1
