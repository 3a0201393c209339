"""An event loop whose clock stands still during real work, and jumps when only timers are left.

A measurement that is replayed in it does not depend on the machine: recorded calls end in the recorded order and after
the recorded time, however busy the machine is, and code that runs in a sandbox takes no time.

The loop asks its selector for events with a timeout, until its next timer is due. Here the selector moves the clock by
that timeout instead of waiting, but only if no real work is under way: threads of the executor are counted by
themselves, other work by `real_work`.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A selector loop with a virtual clock, which begins at 0."""

    def __init__(self) -> None:
        self._now = 0.0
        self._n_real = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Return the virtual instant, in seconds."""
        return self._now

    @contextmanager
    def real_work(self) -> Generator[None]:
        """Let the clock stand still while the block runs, which waits for something outside the loop."""
        self._n_real += 1
        try:
            yield
        finally:
            self._n_real -= 1

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> "asyncio.Future[T]":
        """Run in a thread; the clock stands still meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self._n_real += 1
        future.add_done_callback(self._end_thread)
        return future

    def pass_time(self, seconds: float) -> bool:
        """Move the clock on if no real work is under way; return whether it was moved."""
        if self._n_real:
            return False
        self._now += seconds
        return True

    def _end_thread(self, _future: "asyncio.Future[Any]") -> None:
        self._n_real -= 1


class _Selector(selectors.DefaultSelector):
    """Looks for events without waiting, and lets time pass if there are none."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or (timeout is not None and (timeout <= 0 or self._loop.pass_time(timeout))):
            return events
        return super().select(None)  # something outside the loop will wake it


def run_in_virtual_time(main: Callable[[VirtualTimeLoop], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function in a loop of its own, from any thread that has none; it is given the loop."""
    loop = VirtualTimeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(loop))
