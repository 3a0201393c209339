"""The progress of a download: size, speed, time left."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_WINDOW_S = 10.0
_MIN_SPAN_S, _MIN_BYTES = 0.5, 2**16  # too little for an estimate


@dataclass(frozen=True, slots=True)
class Transfer:
    """The state of a download: bytes `done` and in `total`, and the current `step`, "" for a plain download.

    `bytes_per_s` is the speed of the last seconds, or None if it is not known yet.
    """

    done: int
    total: int
    step: str = ""
    bytes_per_s: float | None = None

    @property
    def percent(self) -> int:
        """The part that is done, rounded down."""
        return 100 * self.done // self.total

    @property
    def left_s(self) -> float | None:
        """The time that the rest will take at this speed, in seconds, or None if it is not known."""
        return (self.total - self.done) / self.bytes_per_s if self.bytes_per_s else None

    def describe(self) -> str:
        """Return the speed, the time left and the step in words, each with a comma before it."""
        speed = f", {self.bytes_per_s / 10**6:.1f} MB/s" if self.bytes_per_s else ""
        left = f", about {describe_duration(self.left_s)} left" if self.left_s is not None else ""
        return f"{speed}{left}{f', {self.step}' if self.step else ''}"


class SpeedMeter:
    """Measures the speed of a download over the last ten seconds; `clock` counts seconds.

    The bytes of an earlier, interrupted download count as done but not towards the speed.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, int]] = deque()

    def measure(self, done: int, total: int, step: str = "") -> Transfer:
        """Return the state of the download now."""
        now = self._clock()
        if self._samples and done < self._samples[-1][1]:  # another source begins anew
            self._samples.clear()
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[1][0] >= _WINDOW_S:  # noqa: PLR2004 -- both ends stay
            self._samples.popleft()
        since, before = self._samples[0]
        span = now - since
        is_known = span >= _MIN_SPAN_S and done - before >= _MIN_BYTES
        return Transfer(done, total, step, (done - before) / span if is_known else None)


def describe_duration(seconds: float) -> str:
    """Return a duration in words: `40 s`, `3 min`, `2 h`."""
    if seconds < 90:  # noqa: PLR2004
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 90 * 60 else f"{round(seconds / 3600)} h"
