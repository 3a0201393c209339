"""Time slices of a task that works without waiting."""

import asyncio

from runtime.time_slice import SLICE_S, TimeSlice
from tests.upstream.clocks import Clock


def test_a_slice_is_over_after_its_time() -> None:
    """By the clock that it was given."""
    clock = Clock()
    time_slice = TimeSlice(clock)
    assert not time_slice.is_over()
    clock.now += SLICE_S
    assert time_slice.is_over()


async def test_a_pause_lets_other_tasks_run_and_begins_a_new_slice() -> None:
    """Each task that is ready runs once."""
    clock = Clock()
    time_slice = TimeSlice(clock)
    clock.now += SLICE_S
    ran: list[int] = []
    for number in range(3):
        asyncio.get_running_loop().call_soon(ran.append, number)
    await time_slice.pause()
    assert (ran, time_slice.is_over()) == ([0, 1, 2], False)
