"""Timers for what hardly ever happens: to set one and to take it back costs next to nothing.

A time-out is set with every call, and few are met. The loop's own timers cost the same either way; here all that are
due within one second share one of them until that second begins.
"""

import asyncio
from collections.abc import Callable


def _nobody() -> None:
    """Stand for whoever was to be called: who holds an alarm that holds its owner would wait for the collector."""


class Alarm:
    """What is to be called at the instant `at` of the loop's clock. It rings once, unless it is put `off` before."""

    __slots__ = ("_handle", "_sharing", "at", "ring")

    def __init__(self, at: float, ring: Callable[[], None], sharing: "set[Alarm] | None" = None) -> None:
        self.at = at
        self.ring = ring
        self._sharing = sharing
        self._handle: asyncio.TimerHandle | None = None
        if sharing is not None:
            sharing.add(self)

    def off(self) -> None:
        """Never ring, if it has not yet; it forgets whom it should have called."""
        self.ring = _nobody
        if self._sharing is not None:
            self._sharing.discard(self)
        if self._handle is not None:
            self._handle.cancel()

    def wait(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait by a timer of its own."""
        self._sharing = None
        self._handle = loop.call_at(self.at, self.ring)


class Alarms:
    """The alarms of the running loop, whose clock `now` reads, in seconds. None rings early, and none late."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self._sharing: dict[int, set[Alarm]] = {}

    def set(self, at: float, ring: Callable[[], None]) -> Alarm:
        """Return an alarm that calls `ring` at this instant: as soon as can be where that has passed."""
        second = int(at)
        sharing = self._sharing.get(second)
        if sharing is not None:
            return Alarm(at, ring, sharing)
        if second > self.now():
            sharing = self._sharing[second] = set()
            self._loop.call_at(second, self._part, second)
            return Alarm(at, ring, sharing)
        alarm = Alarm(at, ring)
        alarm.wait(self._loop)
        return alarm

    def _part(self, second: int) -> None:
        for alarm in self._sharing.pop(second):
            alarm.wait(self._loop)
