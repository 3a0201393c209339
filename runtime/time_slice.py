"""Time slices: a task with long synchronous work lets other tasks run in between."""

import asyncio
from collections.abc import Callable, Generator
from typing import TypeVar

SLICE_S = 0.002
_T = TypeVar("_T")


class TimeSlice:
    """Measures how long a task has worked: `if time_slice.is_over(): await time_slice.pause()`, after each small step.

    Awaiting something that is ready does not give way to other tasks: a stream whose next bytes have already arrived is
    read to its end in one turn of the event loop, and the whole gateway stands still meanwhile. To give way after every
    step would cost more than the steps. So a task works for SLICE_S at most, by `clock` in seconds, and then goes to
    the end of the loop's queue. If the task has really waited in between, it gives way once more than necessary, which
    costs next to nothing.
    """

    __slots__ = ("_clock", "_ends")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends = clock() + SLICE_S

    def is_over(self) -> bool:
        """Whether it is time to give way."""
        return self._clock() >= self._ends

    async def pause(self) -> None:
        """Let every other task that is ready run once, and begin a new slice."""
        await asyncio.sleep(0)
        self._ends = self._clock() + SLICE_S

    async def give_way(self) -> None:
        """Pause if the slice is over."""
        if self.is_over():
            await self.pause()

    async def run(self, steps: Generator[None, None, _T]) -> _T:
        """Do work that comes in steps, pausing between them when a slice is over, and return its result."""
        try:
            while True:
                next(steps)
                if self.is_over():
                    await self.pause()
        except StopIteration as end:
            result: _T = end.value
            return result
        finally:
            steps.close()
