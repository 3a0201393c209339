"""One request's whole story as a document: a reader of its events. Keeping it is trace_store.py's part."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from handlers.request_record import RequestRecord, as_number, rounded
from synth.events import (
    DELTAS,
    Answered,
    AuthorFailed,
    AuthorStarted,
    CandidateArrived,
    CandidateFailed,
    Event,
    LayerStarted,
    PickMade,
    ProposerLeftOut,
    ReviewArrived,
    ReviewFailed,
    Revised,
)
from synth.ledger import compute_cost, count_tokens
from synth.normalize import Completion
from synth.prompts.critic import letter
from synth.request import ChatRequest
from upstream.calls import Attempt, Call
from upstream.errors import CallError
from upstream.redact import redact_headers

_MAX_BODY_BYTES = 100_000
_SAYING = (CandidateArrived, Answered)


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
        if type(event) not in DELTAS:
            self._events.append(event)

    @property
    def n_bytes(self) -> int:
        """Roughly what the trace holds on to: the request, as it came and parsed, and what the models said."""
        said = n_authors = 0
        for each in self._events:
            if isinstance(each, _SAYING):
                said += len(each.completion.text)
            elif isinstance(each, AuthorStarted):
                n_authors += 1
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
                "total_s": self._since_start(ended),
                "queued_s": record.queued_s,
                "panel_s": rounded(record.panel_s),
                "critic_s": rounded(record.critic_s),
            },
            "request": {"headers": redact_headers(self.headers), **_request(self.request, self.body)},
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
        tokens = count_tokens(call)
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
            "cost": as_number(compute_cost(call)),
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
        return None if instant is None else int((instant - self.started) * 10_000 + 0.5) / 10_000  # as `rounded` does


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
        tell = _TELLING.get(type(event))
        if tell is not None:
            tell(self, event)

    def layer(self, event: LayerStarted) -> None:
        self.layers.append({"layer": event.layer, "seed": event.seed, "letters": _lettered(event.letters)})

    def candidate(self, event: CandidateArrived) -> None:
        candidate = {"model": event.call.name, "layer": event.layer, "finding": event.finding}
        self.candidates.append({**candidate, **_completion(event.completion)})

    def failure(self, event: CandidateFailed) -> None:
        self.failures.append({"model": event.call.name, "layer": event.layer, **_failure(event.error)})

    def absence(self, event: ProposerLeftOut) -> None:
        told = {"kind": "left_out", "message": event.reason}
        self.failures.append({"model": event.name, "layer": event.layer, **told})

    def author(self, event: AuthorStarted) -> None:
        self.authors[id(event.call)] = _author(event)

    def came_of(self, event: AuthorFailed | PickMade) -> None:
        self.authors[id(event.call)] |= _came_of(event)

    def verification(self, event: ReviewArrived | ReviewFailed) -> None:
        self.verifications.append(_verification(event))

    def revision(self, event: Revised) -> None:
        last = next(each for each in reversed(self.verifications) if each["choice"] == event.choice)
        last |= {"revised": event.worse is None, "worse": event.worse}

    def answer(self, event: Answered) -> None:
        answer = {"choice": event.choice, "decided_by": event.decided_by.value, "author": event.author}
        self.answers.append({**answer, **_completion(event.completion)})


_TELLING: Mapping[type[Event], Callable[[_Told, Any], None]] = {
    LayerStarted: _Told.layer,
    CandidateArrived: _Told.candidate,
    CandidateFailed: _Told.failure,
    ProposerLeftOut: _Told.absence,
    AuthorStarted: _Told.author,
    AuthorFailed: _Told.came_of,
    PickMade: _Told.came_of,
    ReviewArrived: _Told.verification,
    ReviewFailed: _Told.verification,
    Revised: _Told.revision,
    Answered: _Told.answer,
}
"""How an event is told, by its class; what is not here, the record or the ledger tells."""


def foreign(document: Mapping[str, Any]) -> list[Any]:
    """Return what of a document upstreams have sent as values, not as text."""
    said = [author["said"] for author in document["authors"] if "said" in author]
    calls = [each["tool_calls"] for each in (*document["candidates"], *document["answers"], *said)]
    return [document["calls"], [each for each in calls if each is not None]]


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


def _came_of(event: AuthorFailed | PickMade) -> dict[str, Any]:
    """Return what a model said that was to make the answer, where that is not the answer itself."""
    if isinstance(event, PickMade):
        return {"said": _completion(event.completion)}
    return {"failure": _failure(event.error)}


def _lettered(names: Sequence[str]) -> dict[str, str]:
    return {letter(position): name for position, name in enumerate(names)}


def _failure(error: CallError) -> dict[str, str]:
    return {"kind": str(error.kind), "message": error.message}


def _verification(event: ReviewArrived | ReviewFailed) -> dict[str, Any]:
    if isinstance(event, ReviewFailed):
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
