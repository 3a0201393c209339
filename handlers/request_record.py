"""The record of one request, filled from its events: the source of its headers, log line, metrics and spans."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from statistics import median_low
from typing import Any, Literal

from handlers.errors import ApiError
from synth.events import (
    Answered,
    CandidateArrived,
    CandidateFailed,
    Event,
    EvidenceFound,
    Finished,
    ModeChosen,
    PanelArranged,
    PanelSettled,
    ProposerLeftOut,
    ReviewArrived,
    ReviewFailed,
    Revised,
)
from synth.ledger import Expense, Ledger
from upstream.calls import NO_FAILURES, Call
from upstream.errors import Kind

SLOW_S = 5.0
_RUN_FIELDS = (
    "mode",
    "bypass",
    "panel_reason",
    "n_candidates",
    "n_asked",
    "panel",
    "panel_s",
    "critic_s",
    "evidence",
    "decided_by",
    "author",
)
_CAUSE_CHARS = 200


@dataclass(slots=True)
class RequestRecord:
    """The facts of one request, filled in while it runs, also if it fails or its client leaves.

    `started` is its arrival on the pool's clock. `client` is the name of its key; `queued_s` the wait in the request
    queue, or None if it did not wait; `expected` its estimated use. `bytes_in` and `bytes_out` count the bodies of
    request and reply. `first_chunk_s` is the time from arrival to the first content of a stream; `quorum_wait_s` the
    wait for stragglers after the quorum. `panel` has the outcome of each proposer by name, in further layers with the
    number of the layer. `n_defects` is the number of defects that the verifier found, or None without a verifier;
    `revised` is whether the answer was then rewritten. `api` is the client API, None on other paths. `alias` is the
    model name that the client sent, if it stands for another one. `cause` is why the request was refused, without text
    of it. `shared` says that the request shares a run: it has
    joined a `running` one, was given the `replay` of its reply, or has `left` it to others. `shared_with` is the reply
    id of the request that paid for it; the ledger is empty then.
    """

    reply_id: str = ""
    started: float = 0.0
    outcome: Literal["ok", "failed", "cancelled"] = "ok"
    error: Mapping[str, Any] | None = None
    cause: str | None = None
    client: str | None = None
    queued_s: float | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    first_chunk_s: float | None = None
    mixture: str | None = None
    alias: str | None = None
    mode: str | None = None
    bypass: str | None = None
    panel_reason: str | None = None
    stream: bool = False
    api: str | None = None
    ledger: Ledger = field(default_factory=Ledger)
    expected: Expense = field(default_factory=Expense)
    currency: str = "USD"
    n_candidates: int = 0
    n_asked: int = 0
    panel: dict[str, str] = field(default_factory=dict)
    panel_s: float | None = None
    quorum_wait_s: float | None = None
    critic_s: float | None = None
    evidence: EvidenceFound | None = None
    arranged: PanelArranged | None = None
    decided_by: str | None = None
    author: str | None = None
    n_defects: int | None = None
    revised: bool = False
    verification_failed: str | None = None
    shared: Literal["running", "replay", "left"] | None = None
    shared_with: str | None = None

    def without_calls(self) -> "RequestRecord":
        """Return a copy that holds no conversation: its ledger is empty."""
        return replace(self, ledger=Ledger())

    def repeat(self, other: "RequestRecord") -> None:
        """Take over the facts about the run of another record, whose reply is repeated."""
        for name in _RUN_FIELDS:
            setattr(self, name, getattr(other, name))

    def fail(self, error: ApiError) -> None:
        """Note the error that the client gets; the only place that does, whether models were asked or not."""
        self.outcome, self.error, self.cause = "failed", error.body()["error"], error.logged

    def read(self, event: Event) -> None:
        """Update the record with the next event."""
        update = _UPDATES.get(type(event))
        if update is not None:
            update(self, event)

    def headers(self) -> dict[str, str]:
        """Return the reply headers for the facts known so far."""
        headers: dict[str, str] = {}
        if self.mode is None:
            return headers
        headers["x-mom-mode"] = self.mode if self.panel_reason is None else f"{self.mode}; {self.panel_reason}"
        if self.shared is not None:
            headers["x-mom-shared"] = self.shared
        if self.bypass is not None:
            headers["x-mom-bypass"] = self.bypass
        if self.panel_s is not None:
            headers["x-mom-candidates"] = f"{self.n_candidates}/{self.n_asked}"
            critic = "" if self.critic_s is None else f", critic;dur={self.critic_s * 1000:.1f}"
            headers["Server-Timing"] = f"panel;dur={self.panel_s * 1000:.1f}{critic}"
        if self.evidence is not None and self.evidence.decides:
            headers["x-mom-evidence"] = _format_evidence(self.evidence)
        if self.decided_by is not None:
            headers["x-mom-decided-by"] = self.decided_by
        if self.author is not None:
            headers["x-mom-author"] = self.author
        return headers

    def facts(self) -> dict[str, Any]:
        """Return the fields of the log line for the facts known so far. No field holds text of a prompt."""
        facts: dict[str, Any] = {"client": self.client, "queued_s": rounded(self.queued_s)}
        if self.error is not None:
            facts["error"] = self.error["code"]
            facts["cause"] = self.cause
        if self.mode is not None:
            facts |= self._run_facts()
        return {name: value for name, value in facts.items() if value is not None}

    def _run_facts(self) -> dict[str, Any]:
        used, calls = self.ledger.used(), self.ledger.calls
        return {
            "api": self.api,
            "outcome": self.outcome,
            "reply": self.reply_id,
            "shared": self.shared,
            "shared_with": self.shared_with,
            "mixture": self.mixture,
            "alias": self.alias,
            "mode": self.mode,
            "bypass": self.bypass,
            "panel_reason": self.panel_reason,
            "stream": self.stream or None,
            "candidates": None if self.panel_s is None else f"{self.n_candidates}/{self.n_asked}",
            "panel": self.panel or None,
            "failed": _describe_failures(calls) or None,
            "slow": _find_slow(calls) or None,
            "evidence": None if self.evidence is None else _format_evidence(self.evidence),
            "trust": None if self.arranged is None else _format_order(self.arranged),
            "decided_by": self.decided_by,
            "author": self.author,
            "defects": self.n_defects,
            "revised": self.revised if self.n_defects else None,
            "verification_failed": self.verification_failed,
            "calls": len(calls),
            "attempts": sum([len(call.attempts) for call in calls]),
            "prompt_tokens": used.tokens.prompt,
            "completion_tokens": used.tokens.completion,
            "cached_tokens": used.tokens.cached or None,
            "cache_hits": _list_cache_hits(self.ledger) or None,
            "tokens_estimated": used.tokens.estimated or None,
            "cost": as_number(used.cost),
            "currency": None if used.cost is None else self.currency,
            "panel_s": rounded(self.panel_s),
            "critic_s": rounded(self.critic_s),
        }


def _describe_failures(calls: Sequence[Call]) -> dict[str, str]:
    """Return for each failed model the kind and the cause in the provider's own words, shortened."""
    failed: dict[str, str] = {}
    for call in calls:
        outcome, cause = call.outcome, call.cause
        if outcome == "cancelled" and call.retrying_since is not None:  # the earlier failure is the cause
            cause = next((attempt.message for attempt in reversed(call.attempts) if attempt.message), "")
            outcome = Kind.RETRYING
        if outcome not in NO_FAILURES:
            place = call.name if call.role in ("proposer", "direct") else f"{call.name} ({call.role})"
            failed[place] = f"{outcome}: {cause[:_CAUSE_CHARS]}" if cause else str(outcome)
    return failed


def _list_cache_hits(ledger: Ledger) -> dict[str, float]:
    """Return the share of its prompts that each model's upstream read from its cache, of those that report it."""
    if ledger.used().tokens.hit_rate is None:
        return {}
    rates = {model: used.tokens.hit_rate for model, used in ledger.by_model().items()}
    return {model: int(rate * 100 + 0.5) / 100 for model, rate in rates.items() if rate is not None}


def _find_slow(calls: Sequence[Call]) -> dict[str, float]:
    """Return the seconds of the calls that took SLOW_S or longer, and twice as long as is usual in this request."""
    took: dict[str, float] = {}
    for call in calls:
        if call.ended is not None and call.started is not None:
            took[call.name] = max(call.ended - call.started, took.get(call.name, 0.0))
    if max(took.values(), default=0.0) < SLOW_S:
        return {}
    usual = median_low(took.values())
    return {name: round(seconds, 1) for name, seconds in took.items() if seconds >= max(SLOW_S, 2 * usual)}


def _record_outcome(record: RequestRecord, event: CandidateArrived | CandidateFailed | ProposerLeftOut) -> None:
    name = event.name if isinstance(event, ProposerLeftOut) else event.call.name
    place = name if event.layer == 1 else f"{name} (layer {event.layer})"
    if isinstance(event, ProposerLeftOut):
        record.panel[place] = "left_out"
    else:
        record.panel[place] = "ok" if isinstance(event, CandidateArrived) else str(event.error.kind)


def _record_panel(record: RequestRecord, event: PanelSettled) -> None:
    record.n_candidates, record.n_asked, record.panel_s = event.n_candidates, event.n_asked, event.seconds
    record.quorum_wait_s = event.quorum_wait_s


def _record_evidence(record: RequestRecord, event: EvidenceFound) -> None:
    record.evidence = event


def _format_evidence(event: EvidenceFound) -> str:
    """Return evidence in one line: `ran=4 passed=1 by=examples`, or without examples `ran=4 by=agreement`."""
    ranking = event.ranking
    passed = f" passed={ranking.n_passed}" if ranking.is_tested else ""
    by = f" by={ranking.by}" if ranking.by else ""
    return f"ran={ranking.n_ran}{passed}{by}{'' if event.decides else ' shadow'}"


def _record_order(record: RequestRecord, event: PanelArranged) -> None:
    record.arranged = event


def _format_order(event: PanelArranged) -> str:
    """Return an order of the panel in one line: `b,a shadow`."""
    return f"{','.join(event.order)}{' exploring' if event.is_exploring else ''}{'' if event.decides else ' shadow'}"


def _record_mode(record: RequestRecord, event: ModeChosen) -> None:
    record.mode, record.bypass, record.panel_reason = event.mode, event.bypass, event.why or None


def _record_defects(record: RequestRecord, event: ReviewArrived) -> None:
    record.n_defects = (record.n_defects or 0) + len(event.defects)


def _record_unverified(record: RequestRecord, event: ReviewFailed) -> None:
    record.verification_failed = str(event.error.kind)


def _record_revision(record: RequestRecord, event: Revised) -> None:
    record.revised = record.revised or event.worse is None


def _record_answer(record: RequestRecord, event: Answered) -> None:
    record.decided_by, record.author = event.decided_by.value, event.author


def _record_end(record: RequestRecord, event: Finished) -> None:
    record.critic_s = event.critic_s


_UPDATES: Mapping[type[Event], Callable[[RequestRecord, Any], None]] = {
    CandidateArrived: _record_outcome,
    CandidateFailed: _record_outcome,
    ProposerLeftOut: _record_outcome,
    EvidenceFound: _record_evidence,
    PanelArranged: _record_order,
    PanelSettled: _record_panel,
    ModeChosen: _record_mode,
    ReviewArrived: _record_defects,
    ReviewFailed: _record_unverified,
    Revised: _record_revision,
    Answered: _record_answer,
    Finished: _record_end,
}
"""The update for each class of event; the others leave the record as it is."""


def as_number(cost: Decimal | None) -> float | None:
    """Return an amount of money as a JSON number, or None if it is unknown."""
    return None if cost is None else float(cost)


def rounded(seconds: float | None, steps_per_second: int = 1000) -> float | None:
    """Return a duration rounded to a step, by default a millisecond; ten times as fast as `round`."""
    return None if seconds is None else int(seconds * steps_per_second + 0.5) / steps_per_second
