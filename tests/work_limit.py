"""A limit on the work of a block of a test, counted rather than timed."""

import gc
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

MAX_LINES = 600_000
"""Lines of Python that a reader may run in one turn of the event loop: below fifty milliseconds on a quiet core."""

MAX_CPU_S = 10.0
"""A guard for built-in code, whose steps cannot be counted: linear code takes a hundredth of it, other code hours."""


class StalledError(Exception):
    """The reader took more work than any text should cause."""


@contextmanager
def limit_work(max_lines: int = MAX_LINES, max_cpu_s: float = MAX_CPU_S) -> Iterator[None]:
    """Raise StalledError in the block if it runs too many lines of Python, or too long in built-in code."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Callable[..., Any]:
        nonlocal count
        count += event == "line"
        if count > max_lines:
            raise StalledError(f"more than {max_lines} lines")
        return trace

    def stop(*_: object) -> None:
        raise StalledError(f"more than {max_cpu_s:g} s in built-in code")

    # A collection may take a second in a process that has run thousands of tests, which is no work of the reader.
    collects = gc.isenabled()
    gc.disable()
    tracer, handler = sys.gettrace(), signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, max_cpu_s)
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(tracer)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, handler)
        if collects:
            gc.enable()
