"""How long an attempt may take: as a whole, and in each of its waits."""

from types import TracebackType
from typing import Self

from runtime.cancel_scope import Cuttable
from runtime.timers import Alarm, Alarms
from upstream.errors import CallError, Kind

Late = tuple[Kind, str]
"""What is said where the time has run out."""

_NO_ANSWER: Late = (Kind.TIMEOUT, "no complete answer in time")


class Allowance(Cuttable):
    """The time of one attempt, `whole_s` seconds from now on: `with allowance.waiting(…):` around each wait.

    What waits is cancelled when its time has run out, and CallError takes its place. Between its waits an attempt is
    left alone, and the first one after the end fails at once, also where there is nothing to wait for. `end()` it with
    the attempt.
    """

    __slots__ = ("_alarm", "_alarms", "_ends", "_is_over", "_late", "_until", "_whole_late")

    def __init__(self, alarms: Alarms, whole_s: float) -> None:
        super().__init__()
        self._alarms = alarms
        self._alarm: Alarm | None = None
        self._ends = alarms.now() + whole_s
        self._until = self._ends
        self._late = self._whole_late = _NO_ANSWER
        self._is_over = False

    def waiting(self, most_s: float | None, late: Late, whole_late: Late = _NO_ANSWER) -> Self:
        """Return the context of one wait: `late` once it has taken `most_s` seconds, `whole_late` at the end of all."""
        self._until, self._late, self._whole_late = self._ends, whole_late, whole_late
        if most_s is not None and (until := self._alarms.now() + most_s) < self._ends:
            self._until, self._late = until, late
        return self

    def end(self) -> None:
        """Let go: the attempt is over."""
        if self._alarm is not None:
            self._alarm.off()

    def __enter__(self) -> None:
        if self._is_over:
            raise CallError(*self._whole_late)
        if self._alarm is None or self._until < self._alarm.at:  # one that is too early looks again when it rings
            self.end()
            self._alarm = self._alarms.set(self._until, self._ring)
        self._begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._was_cut(kind):
            raise CallError(*self._late) from None

    def _ring(self) -> None:
        now, self._alarm = self._alarms.now(), None
        until = self._until if self._task is not None else self._ends
        if now < until:
            self._alarm = self._alarms.set(until, self._ring)
        elif self._task is None:  # between two waits
            self._is_over = True
        else:
            self.cut()
