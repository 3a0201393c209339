"""A clock that a test moves, and an event loop whose clock jumps to the next timer."""

import asyncio
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Clock:
    """Returns `now`, in seconds, which a test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class _Jumping(selectors.DefaultSelector):
    """A selector that does not wait, but moves its clock by the time that it should have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; if nothing is, move the clock."""
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "no timer is left: the loop would wait for ever"
            self.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock starts at 0 and jumps to the next timer when every task waits."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the seconds since the start, by the jumping clock."""
        return self._jumping.now


def in_no_time(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a loop whose clock jumps."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


async def settle() -> None:
    """Let other tasks run until they wait."""
    for _ in range(5):
        await asyncio.sleep(0)
