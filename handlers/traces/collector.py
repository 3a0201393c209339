"""The trace of one request, collected from its events while it runs. The store writes it (store.py)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from handlers.request_record import RequestRecord, as_number, rounded
from handlers.traces import schema
from handlers.traces.schema import Trace
from synth.events import (
    DELTAS,
    Answered,
    AuthorFailed,
    AuthorStarted,
    CandidateArrived,
    CandidateFailed,
    Event,
    EvidenceFound,
    LayerStarted,
    PanelArranged,
    PickMade,
    ProposerLeftOut,
    ReviewArrived,
    ReviewFailed,
    Revised,
)
from synth.ledger import compute_cost, count_tokens
from synth.normalize import Completion
from synth.prompts.candidates import letter
from synth.request import ChatRequest
from upstream.calls import Attempt, Call
from upstream.errors import CallError
from upstream.redact import redact_headers

_MAX_BODY_BYTES = 100_000
_WITH_TEXT = (CandidateArrived, Answered)


@dataclass(slots=True)
class TraceCollector:
    """Collects the parts of one request's trace.

    `started` is on the monotonic clock, `unix_time` in seconds since the epoch. `request` stays None if `body` could
    not be parsed. On the event loop an event costs one append; `build` does the work, later, in the store's thread.
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
        """Take in the next event. Deltas are left out: the whole text comes with the event that ends them."""
        if type(event) not in DELTAS:
            self._events.append(event)

    @property
    def n_bytes(self) -> int:
        """Roughly the memory that the trace holds on to: the request's body, parsed and raw, and the models' texts."""
        n_chars = n_authors = 0
        for each in self._events:
            if isinstance(each, _WITH_TEXT):
                n_chars += len(each.completion.text)
            elif isinstance(each, AuthorStarted):
                n_authors += 1
        return 2 * len(self.body) + (1 + n_authors) * n_chars  # each author's prompt repeats the candidates

    def build(self, status: int | None, ended: float) -> Trace:
        """Return the trace of a request that has ended; the objects that it reads must not change any more."""
        record, used = self.record, self.record.ledger.used()
        parts = _EventReader()
        for event in self._events:
            parts.read(event)
        return Trace(
            id=record.reply_id,
            time=datetime.fromtimestamp(self.unix_time, UTC).isoformat(timespec="milliseconds"),
            request_id=self.request_id,
            client=record.client,
            outcome=record.outcome,
            status=status,
            mixture=record.mixture,
            mode=record.mode,
            bypass=record.bypass,
            panel_reason=record.panel_reason,
            decided_by=record.decided_by,
            shared=record.shared,
            shared_with=record.shared_with,
            timings=schema.Timings(
                total_s=self._since_start(ended),
                queued_s=record.queued_s,
                panel_s=rounded(record.panel_s),
                critic_s=rounded(record.critic_s),
            ),
            request=_request(self.request, self.body, redact_headers(self.headers)),
            layers=parts.layers,
            candidates=parts.candidates,
            failures=parts.failures,
            evidence=parts.evidence,
            arrangement=parts.arrangement,
            authors=list(parts.authors.values()),
            verifications=parts.verifications,
            answers=parts.answers,
            error=record.error,
            calls=[self._call(call) for call in record.ledger.calls],
            ledger=schema.Totals(
                prompt_tokens=used.tokens.prompt,
                completion_tokens=used.tokens.completion,
                cached_tokens=used.tokens.cached,
                estimated=used.tokens.estimated,
                cost=as_number(used.cost),
                currency=record.currency,
            ),
        )

    def _call(self, call: Call) -> schema.Call:
        tokens = count_tokens(call)
        return schema.Call(
            role=call.role,
            model=call.name,
            upstream_model=call.model.model,
            outcome=str(call.outcome),
            started_s=self._since_start(call.started),
            ended_s=self._since_start(call.ended),
            prompt_tokens=tokens.prompt,
            completion_tokens=tokens.completion,
            cached_tokens=tokens.cached,
            estimated=tokens.estimated,
            cost=as_number(compute_cost(call)),
            attempts=[self._attempt(attempt) for attempt in call.attempts],
        )

    def _attempt(self, attempt: Attempt) -> schema.Attempt:
        return schema.Attempt(
            outcome=str(attempt.outcome),
            hedge=attempt.hedge,
            status=attempt.status,
            message=attempt.message or None,
            started_s=self._since_start(attempt.started),
            first_byte_s=self._since_start(attempt.first_byte),
            ended_s=self._since_start(attempt.ended),
            pause_s=attempt.pause_s,
            usage=attempt.usage,
        )

    def _since_start(self, instant: float | None) -> float | None:
        return None if instant is None else rounded(instant - self.started, steps_per_second=10_000)


@dataclass(slots=True)
class _EventReader:
    """Turns a run's events into the parts of its trace."""

    layers: list[schema.Layer] = field(default_factory=list)
    candidates: list[schema.Candidate] = field(default_factory=list)
    failures: list[schema.ProposerFailure] = field(default_factory=list)
    evidence: schema.Evidence | None = None
    arrangement: schema.Arrangement | None = None
    authors: dict[int, schema.Author] = field(default_factory=dict)
    verifications: list[schema.Verification] = field(default_factory=list)
    answers: list[schema.Answer] = field(default_factory=list)

    def read(self, event: Event) -> None:
        read = _READERS.get(type(event))
        if read is not None:
            read(self, event)

    def add_layer(self, event: LayerStarted) -> None:
        self.layers.append(schema.Layer(event.layer, event.seed, _by_letter(event.letters)))

    def add_candidate(self, event: CandidateArrived) -> None:
        fields = _completion(event.completion)
        self.candidates.append(
            schema.Candidate(model=event.call.name, layer=event.layer, finding=event.finding, **fields)
        )

    def add_failure(self, event: CandidateFailed) -> None:
        kind, message = str(event.error.kind), event.error.message
        self.failures.append(
            schema.ProposerFailure(model=event.call.name, layer=event.layer, kind=kind, message=message)
        )

    def add_left_out(self, event: ProposerLeftOut) -> None:
        self.failures.append(
            schema.ProposerFailure(model=event.name, layer=event.layer, kind="left_out", message=event.reason)
        )

    def set_arrangement(self, event: PanelArranged) -> None:
        self.arrangement = schema.Arrangement(list(event.order), event.decides, event.is_exploring)

    def set_evidence(self, event: EvidenceFound) -> None:
        ranking = event.ranking
        self.evidence = schema.Evidence(
            by=ranking.by,
            decides=event.decides,
            n_ran=ranking.n_ran,
            n_unknown=ranking.n_unknown,
            run_s=ranking.run_s,
            standings=[
                schema.Standing(
                    each.name, each.tier, each.finding, each.failed, each.passed_all, "" if each.tier else each.output
                )
                for each in ranking.standings
            ],
        )

    def add_author(self, event: AuthorStarted) -> None:
        self.authors[id(event.call)] = schema.Author(
            model=event.call.model.name,
            role=event.call.role,
            choice=event.choice,
            seed=event.seed,
            letters=_by_letter(event.letters),
            messages=list(event.messages),
        )

    def fail_author(self, event: AuthorFailed) -> None:
        self.authors[id(event.call)].failure = _failure(event.error)

    def add_pick(self, event: PickMade) -> None:
        self.authors[id(event.call)].said = schema.Completion(**_completion(event.completion))

    def add_review(self, event: ReviewArrived) -> None:
        defects = [schema.Defect(each.kind, each.quote, each.problem) for each in event.defects]
        self.verifications.append(
            schema.Verification(
                event.choice, event.call.name, event.draft, defects=defects, n_dismissed=event.n_dismissed
            )
        )

    def fail_review(self, event: ReviewFailed) -> None:
        self.verifications.append(schema.Verification(event.choice, event.model, failure=_failure(event.error)))

    def add_revision(self, event: Revised) -> None:
        review = next(each for each in reversed(self.verifications) if each.choice == event.choice)
        review.revised, review.worse, review.revision = event.worse is None, event.worse, event.revision

    def add_answer(self, event: Answered) -> None:
        how, fields = event.decided_by.value, _completion(event.completion)
        self.answers.append(schema.Answer(choice=event.choice, decided_by=how, author=event.author, **fields))


_READERS: Mapping[type[Event], Callable[[_EventReader, Any], None]] = {
    LayerStarted: _EventReader.add_layer,
    CandidateArrived: _EventReader.add_candidate,
    CandidateFailed: _EventReader.add_failure,
    ProposerLeftOut: _EventReader.add_left_out,
    PanelArranged: _EventReader.set_arrangement,
    EvidenceFound: _EventReader.set_evidence,
    AuthorStarted: _EventReader.add_author,
    AuthorFailed: _EventReader.fail_author,
    PickMade: _EventReader.add_pick,
    ReviewArrived: _EventReader.add_review,
    ReviewFailed: _EventReader.fail_review,
    Revised: _EventReader.add_revision,
    Answered: _EventReader.add_answer,
}
"""The reader of each class of event; the facts of the other classes are in the record and the ledger."""


def _request(request: ChatRequest | None, body: bytes, headers: dict[str, str]) -> schema.Asked:
    if request is None:
        return schema.Asked(headers, body=body[:_MAX_BODY_BYTES].decode(errors="backslashreplace"))
    return schema.Asked(
        headers,
        model=request.model,
        n=request.n,
        stream=request.stream,
        params=dict(request.params),
        mom=request.steering.as_json(),
        messages=list(request.messages),
    )


def _by_letter(models: Sequence[str]) -> dict[str, str]:
    return {letter(position): name for position, name in enumerate(models)}


def _failure(error: CallError) -> schema.Failure:
    return schema.Failure(str(error.kind), error.message)


def _completion(completion: Completion) -> dict[str, Any]:
    """Return the fields that a candidate, an answer and a pick have in common."""
    return {
        "text": completion.text,
        "reasoning": completion.reasoning or None,
        "tool_calls": list(completion.tool_calls) or None,
        "finish_reason": completion.finish_reason,
    }
