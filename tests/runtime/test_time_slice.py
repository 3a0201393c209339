"""Time slices of a task that works without waiting."""

import asyncio
from collections.abc import Generator

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


async def test_steps_pause_when_a_slice_is_over() -> None:
    """The result is that of the last step; other tasks run in between."""
    clock = Clock()
    ran: list[str] = []

    def work() -> Generator[None, None, str]:
        for _ in range(3):
            clock.now += SLICE_S
            ran.append("step")
            yield
        return "done"

    asyncio.get_running_loop().call_soon(ran.append, "other")
    assert await TimeSlice(clock).run(work()) == "done"
    assert ran == ["step", "other", "step", "step"]


async def test_giving_way_waits_only_if_a_slice_is_over() -> None:
    """A task with little to do never stops."""
    clock = Clock()
    time_slice = TimeSlice(clock)
    ran: list[int] = []
    asyncio.get_running_loop().call_soon(ran.append, 1)
    await time_slice.give_way()
    assert ran == []
    clock.now += SLICE_S
    await time_slice.give_way()
    assert ran == [1]
