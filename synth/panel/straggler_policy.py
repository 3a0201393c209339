"""How long the remaining proposers may take. Pure: it receives each outcome, and returns the limit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from config.settings import Mixture
from upstream.calls import Call
from upstream.errors import CallError, Kind


@dataclass(slots=True)
class StragglerPolicy:
    """The limit of one round of the panel. All instants are on the clock of the calls; `asked` is the round's start.

    `n_valid` and `has_candidate` include the candidates of earlier stages.

    Two things end a round early: `quorum` valid candidates, after a grace; and at least one candidate while all
    pending calls are being retried, after `retry_grace_s`.
    """

    mixture: Mixture
    asked: float
    n_valid: int = 0
    has_candidate: bool = False
    _last_settled: float = 0.0
    _quorum_at: float | None = None
    _quorum_limit: float | None = None

    def note(self, now: float, *, usable: bool, valid: bool) -> None:
        """Record that a call has settled: whether with a candidate, and whether that keeps the contract."""
        self._last_settled = now
        self.has_candidate = self.has_candidate or usable
        self.n_valid += valid
        if valid and self._quorum_limit is None and self.n_valid >= (self.mixture.quorum or math.inf):
            self._quorum_at = now
            self._quorum_limit = now + self._grace_s(now - self.asked)

    def _grace_s(self, quorum_s: float) -> float:
        ratio = self.mixture.grace_ratio
        return self.mixture.grace_s if ratio is None else ratio * quorum_s

    def quorum_wait_s(self, now: float) -> float | None:
        """Return the seconds since the quorum was reached, or None if it was not."""
        return None if self._quorum_at is None else now - self._quorum_at

    def limit(self, pending: Sequence[Call]) -> float | None:
        """Return the instant at which the pending calls are given up, or None if only their own timeouts bound them."""
        limits = [limit for limit in (self._quorum_limit, self._retry_limit(pending)) if limit is not None]
        return min(limits, default=None)

    def _retry_limit(self, pending: Sequence[Call]) -> float | None:
        """Return the limit for calls that have all failed once and are being retried; None while one is at its first.

        A call in its first attempt may still answer in time; a retried one seldom does. Without any candidate the
        retries are the only hope, and are not limited.
        """
        if not self.has_candidate:
            return None
        alone_since = self._last_settled
        for call in pending:
            if call.retrying_since is None:
                return None
            alone_since = max(alone_since, call.retrying_since)
        return alone_since + self.mixture.retry_grace_s


def explain_cancellation(call: Call) -> CallError:
    """Return the error of a call that was cancelled because the round had ended."""
    if call.retrying_since is None:
        return CallError(Kind.STRAGGLER, "cancelled: enough others had answered, and the grace period was over")
    last = next((attempt.message for attempt in reversed(call.attempts) if attempt.message), "")
    return CallError(Kind.RETRYING, f"cancelled: it was still being tried again when the others had settled ({last})")
