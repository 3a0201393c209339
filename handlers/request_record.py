"""What one request came to: read off its events, for headers and the log line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from synth.events import (
    Answered,
    CandidateArrived,
    CandidateFailed,
    Event,
    Finished,
    ModeChosen,
    PanelSettled,
    ProposerLeftOut,
    ReviewArrived,
    ReviewFailed,
    Revised,
)
from synth.ledger import Expense, Ledger


@dataclass(slots=True)
class RequestRecord:
    """One chat request's facts, filled in while it runs; also when it fails or its client leaves.

    `started` is its arrival on the pool's clock. `client` is the name of the key that it showed; `queued_s` how long it
    waited to be let in, None where it did not; `expected` what it may use, by an estimate beforehand.
    `bytes_in` and `bytes_out` count the bodies of request and reply. `first_chunk_s` is when a stream's first content
    went out, in seconds from the arrival; `quorum_wait_s` how long its panel was waited for after a quorum was there.
    `panel` has each proposer's fate, by its name, in further layers with the layer's number. `n_defects` are those that
    a verifier has found, None where none was asked; `revised` is whether the answer was then written anew.
    """

    reply_id: str = ""
    started: float = 0.0
    outcome: Literal["ok", "failed", "cancelled"] = "ok"
    error: Mapping[str, Any] | None = None
    client: str | None = None
    queued_s: float | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    first_chunk_s: float | None = None
    mixture: str | None = None
    mode: str | None = None
    bypass: str | None = None
    stream: bool = False
    ledger: Ledger = field(default_factory=Ledger)
    expected: Expense = field(default_factory=Expense)
    currency: str = "USD"
    n_candidates: int = 0
    n_asked: int = 0
    panel: dict[str, str] = field(default_factory=dict)
    panel_s: float | None = None
    quorum_wait_s: float | None = None
    critic_s: float | None = None
    decided_by: str | None = None
    author: str | None = None
    n_defects: int | None = None
    revised: bool = False
    verification_failed: str | None = None

    def read(self, event: Event) -> None:
        """Take in the next event."""
        take_in = _TAKING_IN.get(type(event))
        if take_in is not None:
            take_in(self, event)

    def headers(self) -> dict[str, str]:
        """Return what the reply's headers tell of the run, as far as it is known by now."""
        headers: dict[str, str] = {}
        if self.mode is None:
            return headers
        headers["x-mom-mode"] = self.mode
        if self.bypass is not None:
            headers["x-mom-bypass"] = self.bypass
        if self.panel_s is not None:
            headers["x-mom-candidates"] = f"{self.n_candidates}/{self.n_asked}"
            critic = "" if self.critic_s is None else f", critic;dur={self.critic_s * 1000:.1f}"
            headers["Server-Timing"] = f"panel;dur={self.panel_s * 1000:.1f}{critic}"
        if self.decided_by is not None:
            headers["x-mom-decided-by"] = self.decided_by
        return headers

    def facts(self) -> dict[str, Any]:
        """Return what the log line tells of the run, as far as it is known. No prompt text is among it."""
        facts: dict[str, Any] = {"client": self.client, "queued_s": rounded(self.queued_s)}
        if self.error is not None:
            facts["error"] = self.error["code"]
        if self.mode is not None:
            facts |= self._facts_of_run()
        return {name: value for name, value in facts.items() if value is not None}

    def _facts_of_run(self) -> dict[str, Any]:
        used, calls = self.ledger.used(), self.ledger.calls
        return {
            "outcome": self.outcome,
            "reply": self.reply_id,
            "mixture": self.mixture,
            "mode": self.mode,
            "bypass": self.bypass,
            "stream": self.stream or None,
            "candidates": None if self.panel_s is None else f"{self.n_candidates}/{self.n_asked}",
            "panel": self.panel or None,
            "decided_by": self.decided_by,
            "author": self.author,
            "defects": self.n_defects,
            "revised": self.revised if self.n_defects else None,
            "verification_failed": self.verification_failed,
            "calls": len(calls),
            "attempts": sum([len(call.attempts) for call in calls]),
            "prompt_tokens": used.tokens.prompt,
            "completion_tokens": used.tokens.completion,
            "tokens_estimated": used.tokens.estimated or None,
            "cost": as_number(used.cost),
            "currency": None if used.cost is None else self.currency,
            "panel_s": rounded(self.panel_s),
            "critic_s": rounded(self.critic_s),
        }


def _take_fate(record: RequestRecord, event: CandidateArrived | CandidateFailed | ProposerLeftOut) -> None:
    name = event.name if isinstance(event, ProposerLeftOut) else event.call.name
    place = name if event.layer == 1 else f"{name} (layer {event.layer})"
    if isinstance(event, ProposerLeftOut):
        record.panel[place] = "left_out"
    else:
        record.panel[place] = "ok" if isinstance(event, CandidateArrived) else str(event.error.kind)


def _take_panel(record: RequestRecord, event: PanelSettled) -> None:
    record.n_candidates, record.n_asked, record.panel_s = event.n_candidates, event.n_asked, event.seconds
    record.quorum_wait_s = event.quorum_wait_s


def _take_mode(record: RequestRecord, event: ModeChosen) -> None:
    record.mode, record.bypass = event.mode, event.bypass


def _take_defects(record: RequestRecord, event: ReviewArrived) -> None:
    record.n_defects = (record.n_defects or 0) + len(event.defects)


def _take_unverified(record: RequestRecord, event: ReviewFailed) -> None:
    record.verification_failed = str(event.error.kind)


def _take_revision(record: RequestRecord, event: Revised) -> None:
    record.revised = record.revised or event.worse is None


def _take_answer(record: RequestRecord, event: Answered) -> None:
    record.decided_by, record.author = event.decided_by.value, event.author


def _take_end(record: RequestRecord, event: Finished) -> None:
    record.critic_s = event.critic_s


_TAKING_IN: Mapping[type[Event], Callable[[RequestRecord, Any], None]] = {
    CandidateArrived: _take_fate,
    CandidateFailed: _take_fate,
    ProposerLeftOut: _take_fate,
    PanelSettled: _take_panel,
    ModeChosen: _take_mode,
    ReviewArrived: _take_defects,
    ReviewFailed: _take_unverified,
    Revised: _take_revision,
    Answered: _take_answer,
    Finished: _take_end,
}
"""What becomes of an event, by its class; those that are not here tell a record nothing."""


def as_number(cost: Decimal | None) -> float | None:
    """Return money as JSON has it, None where it is not known."""
    return None if cost is None else float(cost)


def rounded(seconds: float | None, per_second: int = 1000) -> float | None:
    """Return a duration to the millisecond, or to another part of the second; `round` takes ten times as long."""
    return None if seconds is None else int(seconds * per_second + 0.5) / per_second
