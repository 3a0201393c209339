"""The circuit breaker: whether a model may be asked now. A pure state machine on a given clock.

The pattern is Michael Nygard's ("Release It!", 2007). A closed breaker admits every attempt. Failures open it, and an
open breaker admits none until its pause is over. Then it is half-open and admits a single attempt, the probe. If the
probe succeeds the breaker closes; if it fails the next pause is twice as long.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from upstream.errors import CallError, Kind

FAILURES_IN_A_ROW = 5
ERROR_RATE = 0.5
LEAST_ATTEMPTS = 20
WINDOW_S = 30.0
FIRST_PAUSE_S = 15.0
LONGEST_PAUSE_S = 120.0

COUNTED = frozenset(
    {Kind.CONNECT, Kind.DISCONNECTED, Kind.TIMEOUT, Kind.SERVER_ERROR, Kind.UNPARSABLE, Kind.TRUNCATED},
)
"""Failures that count against the model. A rate limit, a refused request, a conversation that is too long and a client
that leaves say nothing about its health, neither good nor bad."""

Ticket = NewType("Ticket", int)
"""Identifies the state in which an attempt was admitted; returned with the attempt's outcome."""


class State(StrEnum):
    """The state of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Status:
    """A breaker's state, the reason if it is not closed, and the seconds until it admits an attempt."""

    state: State
    reason: str = ""
    wait_s: float = 0.0


class Breaker:
    """Guards one model at one upstream.

    Every `admit` is followed by exactly one of `succeeded`, `failed` and `abandoned`, with its ticket. An outcome
    counts only in the state in which its attempt began: an attempt from before the breaker opened neither closes it nor
    opens it again. `clock` returns seconds; `on_change` is called with each new status.
    """

    def __init__(self, clock: Callable[[], float], on_change: Callable[[Status], None] = lambda _: None) -> None:
        self._clock = clock
        self._on_change = on_change
        self._state = State.CLOSED
        self._reason = ""
        self._failures_in_a_row = 0
        self._outcomes: deque[tuple[float, bool]] = deque()  # (when, failed)
        self._pause_s = FIRST_PAUSE_S
        self._opened = 0.0
        self._probing = False
        self._ticket = Ticket(0)  # of the current state; every change of state makes older tickets void

    def status(self) -> Status:
        """Return the status now, which becomes half-open when the pause is over."""
        if self._state is State.OPEN and self._clock() >= self._opened + self._pause_s:
            self._enter(State.HALF_OPEN, self._reason)
        return self._status()

    def check(self) -> None:
        """Raise CallError (breaker_open) if no attempt may start now."""
        if self._state is State.CLOSED:
            return
        status = self.status()
        if status.state is State.OPEN:
            message = f"not asked for another {status.wait_s:.0f} s: {status.reason}"
            raise CallError(Kind.BREAKER_OPEN, message, retry_after_s=status.wait_s)
        if status.state is State.HALF_OPEN and self._probing:
            message = f"not asked while another call tests whether it works again: {status.reason}"
            raise CallError(Kind.BREAKER_OPEN, message)

    def admit(self) -> Ticket:
        """Admit an attempt, as the probe if half-open. Raises CallError as from `check`."""
        # Half-open admits one probe at a time, and its ticket decides. Two traps are avoided here. A probe may end
        # without saying anything: its client leaves, or the upstream answers with a rate limit. Then `abandoned` makes
        # room for the next probe, otherwise the breaker would stay half-open for ever. And attempts from before the
        # breaker opened may still be running, for minutes: their tickets are void, so that a late failure does not
        # double the pause, and a late success does not close the breaker on old evidence.
        self.check()
        self._probing = self._state is State.HALF_OPEN
        return self._ticket

    def succeeded(self, ticket: Ticket) -> None:
        """Record that an attempt succeeded."""
        if ticket != self._ticket:
            return
        if self._state is State.HALF_OPEN:
            self._enter(State.CLOSED, "")
            return
        self._failures_in_a_row = 0
        self._note(failed=False)

    def failed(self, ticket: Ticket, kind: Kind, message: str) -> None:
        """Record that an attempt failed. `message` becomes part of the reason: for `auth` it names the key to check."""
        if kind is not Kind.AUTH and kind not in COUNTED:
            self.abandoned(ticket)
            return
        if ticket != self._ticket:
            return
        self._failures_in_a_row += 1
        self._note(failed=True)
        at_once = kind is Kind.AUTH or self._state is State.HALF_OPEN
        reason = message if at_once else self._reason_to_open(message)
        if reason is not None:
            self._enter(State.OPEN, reason)

    def abandoned(self, ticket: Ticket) -> None:
        """Record that an attempt was cancelled, or ended in a way that says nothing about the model's health."""
        if ticket == self._ticket:
            self._probing = False

    def _reason_to_open(self, message: str) -> str | None:
        """Return why the breaker opens, or None if there are too few failures."""
        if self._failures_in_a_row >= FAILURES_IN_A_ROW:
            return f"{self._failures_in_a_row} failures in a row, the last: {message}"
        n_attempts = len(self._outcomes)
        n_failed = sum(failed for _, failed in self._outcomes)
        if n_attempts >= LEAST_ATTEMPTS and n_failed >= ERROR_RATE * n_attempts:
            return f"{n_failed} of {n_attempts} attempts failed in {WINDOW_S:.0f} s, the last: {message}"
        return None

    def _note(self, *, failed: bool) -> None:
        now = self._clock()
        self._outcomes.append((now, failed))
        while self._outcomes[0][0] <= now - WINDOW_S:
            self._outcomes.popleft()

    def _enter(self, state: State, reason: str) -> None:
        if state is State.OPEN:
            again = self._state is State.HALF_OPEN
            self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s) if again else FIRST_PAUSE_S
            self._opened = self._clock()
        elif state is State.CLOSED:
            self._failures_in_a_row = 0
            self._outcomes.clear()
        self._state, self._reason, self._probing = state, reason, False
        self._ticket = Ticket(self._ticket + 1)
        self._on_change(self._status())

    def _status(self) -> Status:
        is_open = self._state is State.OPEN
        wait_s = max(0.0, self._opened + self._pause_s - self._clock()) if is_open else 0.0
        return Status(self._state, self._reason, wait_s)
