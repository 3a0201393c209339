"""How long the proposers that are still at work are waited for. Pure: told what settles, asked for the limit."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.settings import Mixture
from upstream.calls import Call
from upstream.errors import CallError, Kind


@dataclass(slots=True)
class StragglerPolicy:
    """One panel's. All instants are on the clock of the calls; `asked` is when the panel was.

    Two things end it: a quorum of valid candidates, after a grace; and a candidate while nobody is at work but
    proposers that are being tried again, after the mixture's `retry_grace_s`.
    """

    mixture: Mixture
    asked: float
    _n_valid: int = 0
    _has_candidate: bool = False
    _last_settled: float = 0.0
    _quorum_at: float | None = None
    _quorum_limit: float | None = None

    def note(self, now: float, *, usable: bool, valid: bool) -> None:
        """Take in that a proposer has settled, whether with a candidate, and whether that keeps the contract."""
        self._last_settled = now
        self._has_candidate = self._has_candidate or usable
        self._n_valid += valid
        if self._quorum_limit is None and self._n_valid == self.mixture.quorum:
            self._quorum_at = now
            self._quorum_limit = now + self._grace_s(now - self.asked)

    def _grace_s(self, quorum_s: float) -> float:
        ratio = self.mixture.grace_ratio
        return self.mixture.grace_s if ratio is None else ratio * quorum_s

    def quorum_wait_s(self, now: float) -> float | None:
        """Return for how long others have been waited for since there was a quorum, None where there was none."""
        return None if self._quorum_at is None else now - self._quorum_at

    def limit(self, pending: Sequence[Call]) -> float | None:
        """Return the instant until which the pending calls are waited for; None where only their time-outs bound it."""
        limits = [limit for limit in (self._quorum_limit, self._retry_limit(pending)) if limit is not None]
        return min(limits, default=None)

    def _retry_limit(self, pending: Sequence[Call]) -> float | None:
        if not self._has_candidate:  # nobody is held up by those who are the only hope
            return None
        alone_since = self._last_settled
        for call in pending:
            if call.retrying_since is None:
                return None
            alone_since = max(alone_since, call.retrying_since)
        return alone_since + self.mixture.retry_grace_s


def explain_cancellation(call: Call) -> CallError:
    """Return why a call that was waited for no longer was cancelled."""
    if call.retrying_since is None:
        return CallError(Kind.STRAGGLER, "cancelled: enough others had answered, and the grace was over")
    last = next((attempt.message for attempt in reversed(call.attempts) if attempt.message), "")
    return CallError(Kind.RETRYING, f"cancelled: it was still being tried again when the others had settled ({last})")
