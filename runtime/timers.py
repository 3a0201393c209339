"""A timer wheel: cheap timers for timeouts that are nearly always cancelled.

Every call sets a timeout, and few of them expire. The event loop keeps its timers in a heap, in which a cancelled one
stays until it is due, so that a busy gateway would carry thousands of dead entries.

Here all timers that are due within one second share a bucket, and each bucket uses one timer of the loop. Setting and
cancelling a timer is one operation on a set. When a bucket's second begins, the few timers that are still in it get a
loop timer of their own, so that each one is called at its exact instant, neither early nor late.

The idea is Varghese and Lauck's ("Hashed and Hierarchical Timing Wheels", 1987), with the loop's heap as the second
level.
"""

import asyncio
from collections.abc import Callable


def _do_nothing() -> None:
    """Replace a cancelled callback: a timer that kept it would keep its owner alive until the collector runs."""


class Timer:
    """One callback that is due at the instant `at` of the loop's clock, unless it is cancelled before."""

    __slots__ = ("_bucket", "_handle", "at", "callback")

    def __init__(self, at: float, callback: Callable[[], None], bucket: "set[Timer] | None" = None) -> None:
        self.at = at
        self.callback = callback
        self._bucket = bucket
        self._handle: asyncio.TimerHandle | None = None
        if bucket is not None:
            bucket.add(self)

    def cancel(self) -> None:
        """Never call the callback, if that has not happened yet, and drop the reference to it."""
        self.callback = _do_nothing
        if self._bucket is not None:
            self._bucket.discard(self)
        if self._handle is not None:
            self._handle.cancel()

    def schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave the bucket and use a timer of the loop."""
        self._bucket = None
        self._handle = loop.call_at(self.at, self.callback)


class TimerWheel:
    """The timers of the running loop. `now` reads the loop's clock, in seconds."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self._buckets: dict[int, set[Timer]] = {}

    def call_at(self, at: float, callback: Callable[[], None]) -> Timer:
        """Return a timer that calls `callback` at an instant, or as soon as possible if that has passed."""
        second = int(at)
        bucket = self._buckets.get(second)
        if bucket is not None:
            return Timer(at, callback, bucket)
        if second > self.now():
            bucket = self._buckets[second] = set()
            self._loop.call_at(second, self._open_bucket, second)
            return Timer(at, callback, bucket)
        timer = Timer(at, callback)
        timer.schedule(self._loop)
        return timer

    def _open_bucket(self, second: int) -> None:
        for timer in self._buckets.pop(second):
            timer.schedule(self._loop)
