"""One request's whole story as a document: a reader of its events. Keeping it is trace_store.py's part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from handlers.record import RequestRecord, as_number, rounded
from synth.critic import letter
from synth.events import (
    PIECES,
    Answered,
    AuthorFailed,
    AuthorStarted,
    CandidateArrived,
    CandidateFailed,
    Event,
    LayerStarted,
    ProposerLeftOut,
    Revised,
    VerdictGiven,
    VerificationFailed,
    Verified,
)
from synth.ledger import cost_of, tokens_of
from synth.normalize import Completion
from synth.request import ChatRequest
from upstream.calls import Attempt, Call
from upstream.errors import CallError

_MAX_BODY_BYTES = 100_000
REDACTED = "[redacted]"
_SECRET_WORDS = ("authorization", "cookie", "key", "token", "secret", "password")


@dataclass(slots=True)
class Trace:
    """Collects what the trace of one request tells.

    `started` is on the monotonic clock, `unix_time` in seconds; `request` stays None where the `body` holds none.
    """

    request_id: str
    headers: Mapping[str, str]
    record: RequestRecord
    started: float
    unix_time: float
    body: bytes = b""
    request: ChatRequest | None = None
    _events: list[Event] = field(default_factory=list)

    def read(self, event: Event) -> None:
        """Take in the next event. What it tells is read later, in the thread that makes the document."""
        if type(event) not in PIECES:
            self._events.append(event)

    @property
    def n_bytes(self) -> int:
        """Roughly what the trace holds on to: the request, as it came and parsed, and what the models said."""
        said = sum(len(each.completion.text) for each in self._events if isinstance(each, CandidateArrived | Answered))
        n_authors = sum(isinstance(each, AuthorStarted) for each in self._events)
        return 2 * len(self.body) + (1 + n_authors) * said

    def document(self, status: int | None, ended: float) -> dict[str, Any]:
        """Return the finished trace, in which instants are seconds from the start."""
        record, total = self.record, self.record.ledger.used().tokens
        told = _Told()
        for event in self._events:
            told.read(event)
        return {
            "id": record.reply_id,
            "time": datetime.fromtimestamp(self.unix_time, UTC).isoformat(timespec="milliseconds"),
            "request_id": self.request_id,
            "client": record.client,
            "outcome": record.outcome,
            "status": status,
            "mixture": record.mixture,
            "mode": record.mode,
            "bypass": record.bypass,
            "decided_by": record.decided_by,
            "timings": {
                "total_s": round(ended - self.started, 4),
                "queued_s": record.queued_s,
                "panel_s": rounded(record.panel_s),
                "critic_s": rounded(record.critic_s),
            },
            "request": {"headers": redacted_headers(self.headers), **_request(self.request, self.body)},
            "layers": told.layers,
            "candidates": told.candidates,
            "failures": told.failures,
            "authors": list(told.authors.values()),
            "verifications": told.verifications,
            "answers": told.answers,
            "error": record.error,
            "calls": [self._call(call) for call in record.ledger.calls],
            "ledger": {
                "prompt_tokens": total.prompt,
                "completion_tokens": total.completion,
                "estimated": total.estimated,
                "cost": as_number(record.ledger.used().cost),
                "currency": record.currency,
            },
        }

    def _call(self, call: Call) -> dict[str, Any]:
        tokens = tokens_of(call)
        return {
            "role": call.role,
            "model": call.name,
            "upstream_model": call.model.model,
            "outcome": str(call.outcome),
            "started_s": self._since_start(call.started),
            "ended_s": self._since_start(call.ended),
            "prompt_tokens": tokens.prompt,
            "completion_tokens": tokens.completion,
            "estimated": tokens.estimated,
            "cost": as_number(cost_of(call)),
            "attempts": [self._attempt(attempt) for attempt in call.attempts],
        }

    def _attempt(self, attempt: Attempt) -> dict[str, Any]:
        return {
            "outcome": str(attempt.outcome),
            "hedge": attempt.hedge,
            "status": attempt.status,
            "message": attempt.message or None,
            "started_s": self._since_start(attempt.started),
            "first_byte_s": self._since_start(attempt.first_byte),
            "ended_s": self._since_start(attempt.ended),
            "pause_s": attempt.pause_s,
            "usage": attempt.usage,
        }

    def _since_start(self, instant: float | None) -> float | None:
        return None if instant is None else round(instant - self.started, 4)


@dataclass(slots=True)
class _Told:
    """What the events tell, in the words of the document."""

    layers: list[dict[str, Any]] = field(default_factory=list)
    candidates: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    authors: dict[int, dict[str, Any]] = field(default_factory=dict)
    verifications: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)

    def read(self, event: Event) -> None:
        match event:
            case LayerStarted():
                self.layers.append({"layer": event.layer, "seed": event.seed, "letters": _lettered(event.letters)})
            case CandidateArrived(call=call, completion=completion, finding=finding, layer=layer):
                candidate = {"model": call.name, "layer": layer, "finding": finding}
                self.candidates.append({**candidate, **_completion(completion)})
            case CandidateFailed(call=call, error=error, layer=layer):
                self.failures.append({"model": call.name, "layer": layer, **_failure(error)})
            case ProposerLeftOut(name=name, reason=reason, layer=layer):
                self.failures.append({"model": name, "layer": layer, "kind": "left_out", "message": reason})
            case AuthorStarted():
                self.authors[id(event.call)] = _author(event)
            case AuthorFailed() | VerdictGiven():
                self.authors[id(event.call)] |= _came_of(event)
            case Verified() | VerificationFailed():
                self.verifications.append(_verification(event))
            case Revised(worse=worse, choice=choice):
                last = next(each for each in reversed(self.verifications) if each["choice"] == choice)
                last |= {"revised": worse is None, "worse": worse}
            case Answered():
                answer = {"choice": event.choice, "decided_by": str(event.decided_by), "author": event.author}
                self.answers.append({**answer, **_completion(event.completion)})
            case _:
                pass


def redacted_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with the value of each that may hold a credential taken out."""
    return {name: REDACTED if _may_hold_a_secret(name) else value for name, value in headers.items()}


@lru_cache(maxsize=256)
def _may_hold_a_secret(header: str) -> bool:
    name = header.lower()
    return any(word in name for word in _SECRET_WORDS)


def _request(request: ChatRequest | None, body: bytes) -> dict[str, Any]:
    if request is None:
        return {"body": body[:_MAX_BODY_BYTES].decode(errors="backslashreplace")}
    return {
        "model": request.model,
        "n": request.n,
        "stream": request.stream,
        "params": dict(request.params),
        "messages": list(request.messages),
    }


def _author(event: AuthorStarted) -> dict[str, Any]:
    return {
        "model": event.call.model.name,
        "role": event.call.role,
        "choice": event.choice,
        "seed": event.seed,
        "letters": _lettered(event.letters),
        "messages": list(event.messages),
    }


def _came_of(event: AuthorFailed | VerdictGiven) -> dict[str, Any]:
    """Return what a model said that was to make the answer, where that is not the answer itself."""
    if isinstance(event, VerdictGiven):
        return {"said": _completion(event.completion)}
    return {"failure": _failure(event.error)}


def _lettered(names: Sequence[str]) -> dict[str, str]:
    return {letter(position): name for position, name in enumerate(names)}


def _failure(error: CallError) -> dict[str, str]:
    return {"kind": str(error.kind), "message": error.message}


def _verification(event: Verified | VerificationFailed) -> dict[str, Any]:
    if isinstance(event, VerificationFailed):
        return {"choice": event.choice, "model": event.model, "failure": _failure(event.error)}
    listed = [{"kind": each.kind, "quote": each.quote, "problem": each.problem} for each in event.defects]
    found = {"defects": listed, "n_dismissed": event.n_dismissed}
    return {"choice": event.choice, "model": event.call.name, **found}


def _completion(completion: Completion) -> dict[str, Any]:
    return {
        "text": completion.text,
        "reasoning": completion.reasoning or None,
        "tool_calls": list(completion.tool_calls) or None,
        "finish_reason": completion.finish_reason,
    }
