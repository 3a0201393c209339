"""Timeouts of one attempt: for the whole, and for each of its waits."""

from types import TracebackType
from typing import NamedTuple, Self

from runtime.cancel_scope import CancelScope
from runtime.timers import Timer, TimerWheel
from upstream.errors import CallError, Kind

Expiry = tuple[Kind, str]
"""The kind and message of the CallError that an expired timeout raises; `{}` in the message is its seconds."""

_NO_ANSWER: Expiry = (Kind.TIMEOUT, "no complete answer within {} s")


class Timeouts(NamedTuple):
    """How long one attempt may take, in seconds; None means no limit of its own.

    `total_s` is for the whole attempt, from its start. `connect_s` (until there is a connection) and `first_byte_s`
    (until the reply's headers) count from when the upstream's address is known, `idle_s` between two reads of the body.
    """

    total_s: float
    connect_s: float | None = None
    first_byte_s: float | None = None
    idle_s: float | None = None


class AttemptTimer(CancelScope):
    """Enforces the timeouts of one attempt, which ends `total_s` seconds from now: `with timer.waiting(…):` per wait.

    A wait that takes too long is cancelled, and CallError takes its place. Between its waits the attempt is not
    disturbed, because its caller may be slow for reasons of its own. The first wait after the end fails at once, even
    if data is ready: otherwise a stream that is always ahead of its reader would have no deadline. Call `end()` when
    the attempt is over.

    One timer of the wheel serves all waits. A wait that ends before the timer is due leaves it alone; when it is called
    too early for the current wait, it sets itself again. So a stream of a thousand pieces sets a few timers, not a
    thousand.
    """

    __slots__ = ("_ends", "_expiry", "_is_over", "_limit_s", "_timer", "_timers", "_total_expiry", "_total_s", "_until")

    def __init__(self, timers: TimerWheel, total_s: float) -> None:
        super().__init__()
        self._timers = timers
        self._timer: Timer | None = None
        self._total_s = self._limit_s = total_s
        self._ends = timers.now() + total_s
        self._until = self._ends
        self._expiry = self._total_expiry = _NO_ANSWER
        self._is_over = False

    def waiting(self, limit_s: float | None, expiry: Expiry, total_expiry: Expiry = _NO_ANSWER) -> Self:
        """Return the context of one wait: `expiry` after `limit_s` seconds, `total_expiry` at the attempt's end."""
        self._until, self._limit_s = self._ends, self._total_s
        self._expiry = self._total_expiry = total_expiry
        if limit_s is not None and (until := self._timers.now() + limit_s) < self._ends:
            self._until, self._limit_s, self._expiry = until, limit_s, expiry
        return self

    def end(self) -> None:
        """Cancel the timer: the attempt is over."""
        if self._timer is not None:
            self._timer.cancel()

    def __enter__(self) -> None:
        if self._is_over:
            raise _expired(self._total_expiry, self._total_s)
        if self._timer is None or self._until < self._timer.at:
            self.end()
            self._timer = self._timers.call_at(self._until, self._expire)
        self._enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._leave(kind):
            raise _expired(self._expiry, self._limit_s) from None

    def _expire(self) -> None:
        now, self._timer = self._timers.now(), None
        until = self._until if self._task is not None else self._ends
        if now < until:  # set for an earlier wait
            self._timer = self._timers.call_at(until, self._expire)
        elif self._task is None:  # between two waits
            self._is_over = True
        else:
            self.cancel()


def _expired(expiry: Expiry, seconds: float) -> CallError:
    kind, message = expiry
    return CallError(kind, message.format(f"{seconds:.2f}".rstrip("0").rstrip(".")))
