"""What one request came to: read off its events, for headers and the log line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
)
from synth.ledger import Ledger


@dataclass(slots=True)
class RequestRecord:
    """One chat request's facts, filled in while it runs; also when it fails or its client leaves.

    `client` is the name of the key that it showed; `queued_s` how long it waited to be let in, None where it did not.
    """

    reply_id: str = ""
    outcome: Literal["ok", "failed", "cancelled"] = "ok"
    error: Mapping[str, Any] | None = None
    client: str | None = None
    queued_s: float | None = None
    mixture: str | None = None
    mode: str | None = None
    bypass: str | None = None
    stream: bool = False
    ledger: Ledger = field(default_factory=Ledger)
    n_candidates: int = 0
    n_asked: int = 0
    panel: dict[str, str] = field(default_factory=dict)
    panel_s: float | None = None
    critic_s: float | None = None
    decided_by: str | None = None
    author: str | None = None

    def read(self, event: Event) -> None:
        """Take in the next event."""
        match event:
            case CandidateArrived(call=call):
                self.panel[call.model.name] = "ok"
            case CandidateFailed(call=call, error=error):
                self.panel[call.model.name] = str(error.kind)
            case ProposerLeftOut(model=model):
                self.panel[model] = "left_out"
            case PanelSettled():
                self.n_candidates, self.n_asked, self.panel_s = event.n_candidates, event.n_asked, event.seconds
            case ModeChosen(mode=mode, bypass=bypass):
                self.mode, self.bypass = mode, bypass
            case Answered():
                self.decided_by, self.author = str(event.decided_by), event.author
            case Finished(critic_s=critic_s):
                self.critic_s = critic_s
            case _:
                pass

    def headers(self) -> dict[str, str]:
        """Return what the reply's headers tell of the run, as far as it is known by now."""
        headers: dict[str, str] = {}
        if self.mode is not None:
            headers["x-mom-mode"] = self.mode
        if self.bypass is not None:
            headers["x-mom-bypass"] = self.bypass
        if self.panel_s is not None:
            headers["x-mom-candidates"] = f"{self.n_candidates}/{self.n_asked}"
        if self.decided_by is not None:
            headers["x-mom-decided-by"] = self.decided_by
        timings = {"panel": self.panel_s, "critic": self.critic_s}
        stated = [f"{name};dur={seconds * 1000:.1f}" for name, seconds in timings.items() if seconds is not None]
        if stated:
            headers["Server-Timing"] = ", ".join(stated)
        return headers

    def facts(self) -> dict[str, Any]:
        """Return what the log line tells of the run. No prompt text is among it."""
        facts = {
            "client": self.client,
            "queued_s": rounded(self.queued_s),
            "error": self.error["code"] if self.error else None,
            **(self._facts_of_run() if self.mode is not None else {}),
        }
        return {name: value for name, value in facts.items() if value is not None}

    def _facts_of_run(self) -> dict[str, Any]:
        total = self.ledger.total()
        return {
            "outcome": self.outcome,
            "reply": self.reply_id,
            "mixture": self.mixture,
            "mode": self.mode,
            "bypass": self.bypass,
            "stream": self.stream or None,
            "candidates": f"{self.n_candidates}/{self.n_asked}" if self.panel_s is not None else None,
            "panel": self.panel or None,
            "decided_by": self.decided_by,
            "author": self.author,
            "calls": len(self.ledger.calls),
            "attempts": sum(len(call.attempts) for call in self.ledger.calls),
            "prompt_tokens": total.prompt,
            "completion_tokens": total.completion,
            "tokens_estimated": total.estimated or None,
            "panel_s": rounded(self.panel_s),
            "critic_s": rounded(self.critic_s),
        }


def rounded(seconds: float | None) -> float | None:
    """Return a duration to the millisecond."""
    return None if seconds is None else round(seconds, 3)
