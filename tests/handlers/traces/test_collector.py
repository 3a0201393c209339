"""The trace of a request, collected from its events."""

from collections.abc import Iterable
from typing import Any

from config.settings import Model
from handlers.request_record import RequestRecord
from handlers.traces import schema
from handlers.traces.collector import TraceCollector
from synth.events import (
    Answered,
    AuthorFailed,
    AuthorStarted,
    CandidateArrived,
    CandidateFailed,
    DecidedBy,
    Event,
    EvidenceFound,
    LayerStarted,
    PanelArranged,
    PickMade,
    ProposerLeftOut,
    ReviewArrived,
    ReviewFailed,
    Revised,
    TextDelta,
)
from synth.evidence.inquiry import Ranking, Standing
from synth.normalize import Completion
from synth.prompts.review import Defect
from synth.request import ChatRequest
from upstream.calls import Attempt, Call, Role
from upstream.errors import CallError, Kind

REQUEST = ChatRequest("mom", [{"role": "user", "content": "Why?"}], {"top_k": 3})


def call(name: str, role: Role = "proposer", **fields: Any) -> Call:
    return Call(Model(name, "http://h", None, None, name), role, [], {}, 60.0, **fields)


def collector(events: Iterable[Event] = (), *calls: Call, **fields: Any) -> TraceCollector:
    """Return a collector that started at 100 s and has read these events."""
    record = RequestRecord("chatcmpl-1", 100.0)
    for each in calls:
        record.ledger.add(each)
    collected = TraceCollector(
        "req-1", {"Accept": "*/*"}, record, 100.0, 1_767_225_600.0, **{"request": REQUEST, **fields}
    )
    for event in events:
        collected.read(event)
    return collected


def completion(text: str) -> Completion:
    return Completion(text)


def test_the_panel_is_collected() -> None:
    """Candidates with their contract, failures with their cause, members left out with the reason, layers."""
    events: list[Event] = [
        CandidateArrived(call("a"), completion("one"), "no JSON"),
        CandidateFailed(call("b"), CallError(Kind.TIMEOUT, "slow")),
        ProposerLeftOut("c", "too long"),
        LayerStarted(2, 7, ("a",)),
        CandidateArrived(call("a"), completion("two"), layer=2),
    ]
    trace = collector(events).build(200, 101.0)
    assert [(each.model, each.text, each.finding, each.layer) for each in trace.candidates] == [
        ("a", "one", "no JSON", 1),
        ("a", "two", None, 2),
    ]
    assert [(each.model, each.kind, each.message) for each in trace.failures] == [
        ("b", "timeout", "slow"),
        ("c", "left_out", "too long"),
    ]
    assert trace.layers == [schema.Layer(2, 7, {"A": "a"})]


def test_the_last_evidence_is_collected() -> None:
    """With the finding on each candidate, and the example that it fails."""
    standings = (
        Standing("a", finding="passes 2 of 2 examples", passed_all=True),
        Standing("b", 1, "fails", "f(1) == 2"),
    )
    ranking = Ranking(standings, "examples", n_ran=2, run_s=0.01)
    trace = collector([EvidenceFound(Ranking(), decides=True), EvidenceFound(ranking, decides=True)]).build(200, 101.0)
    assert trace.evidence is not None
    assert (trace.evidence.by, trace.evidence.decides, trace.evidence.n_ran) == ("examples", True, 2)
    assert trace.evidence.find("b") == schema.Standing("b", 1, "fails", "f(1) == 2")
    assert trace.evidence.find("c") is None


def test_the_critics_are_collected() -> None:
    """Each with its prompt and order, and with its pick or its failure."""
    first, second = call("d", "critic"), call("e", "critic")
    prompt = [{"role": "user", "content": "Pick."}]
    events: list[Event] = [
        AuthorStarted(first, prompt, 7, ("a", "b")),
        AuthorStarted(second, prompt, 7, ("b", "a")),
        PickMade(first, completion("A")),
        AuthorFailed(second, CallError(Kind.EMPTY, "nothing")),
        Answered(completion("one"), DecidedBy.CHOSEN, "a"),
    ]
    trace = collector(events).build(200, 101.0)
    picked, failed = trace.authors
    assert (picked.model, picked.letters, picked.messages) == ("d", {"A": "a", "B": "b"}, prompt)
    assert (picked.said, picked.failure) == (schema.Completion("A", finish_reason="stop"), None)
    assert (failed.said, failed.failure) == (None, schema.Failure("empty", "nothing"))
    assert trace.answers == [schema.Answer("one", finish_reason="stop", decided_by="chosen", author="a")]


def test_a_review_is_collected_with_its_revision() -> None:
    """The revision belongs to the review of the same choice."""
    defect = Defect("wrong", "one", "it is two")
    events: list[Event] = [
        ReviewArrived(call("f", "verifier"), (defect,), 2, choice=0, draft="one"),
        ReviewFailed("f", CallError(Kind.TIMEOUT, "slow"), choice=1),
        Revised(call("d", "critic"), "it is empty", choice=0, revision=""),
    ]
    kept, failed = collector(events).build(200, 101.0).verifications
    assert kept.defects == [schema.Defect("wrong", "one", "it is two")]
    assert (kept.n_dismissed, kept.revised, kept.worse) == (2, False, "it is empty")
    assert (kept.draft, kept.revision) == ("one", "")
    assert (failed.failure, failed.revised) == (schema.Failure("timeout", "slow"), None)


def test_instants_count_from_the_start_of_the_request() -> None:
    """Calls and attempts, with their outcomes and the upstream's usage."""
    attempt = Attempt(100.5, 101.25, 100.75, "ok", usage={"prompt_tokens": 3, "completion_tokens": 4})
    done = call("a", attempts=[attempt], started=100.25, ended=101.25, outcome="ok")
    trace = collector((), done).build(200, 102.0)
    (shown,) = trace.calls
    assert (shown.started_s, shown.ended_s, shown.prompt_tokens, shown.completion_tokens) == (0.25, 1.25, 3, 4)
    assert (shown.attempts[0].started_s, shown.attempts[0].first_byte_s) == (0.5, 0.75)
    assert (trace.timings.total_s, trace.time) == (2.0, "2026-01-01T00:00:00.000+00:00")
    assert (trace.ledger.prompt_tokens, trace.ledger.completion_tokens) == (3, 4)


def test_deltas_are_not_kept() -> None:
    """The complete text comes with the event that ends them; a long stream costs no memory here."""
    collected = collector([TextDelta("x" * 1000) for _ in range(1000)])
    assert collected.n_bytes == 0


def test_the_memory_of_a_trace_is_estimated_from_its_texts() -> None:
    """The body counts twice, the candidates once more for each prompt that repeats them."""
    events: list[Event] = [
        CandidateArrived(call("a"), completion("x" * 1000)),
        AuthorStarted(call("d", "critic"), [], 7, ("a",)),
    ]
    assert collector(events, body=b"y" * 100).n_bytes == 2200


def test_a_request_that_could_not_be_parsed_is_kept_as_text() -> None:
    """Up to 100,000 bytes of it."""
    trace = collector(request=None, body=b"\xff" + b"x" * 200_000).build(400, 101.0)
    assert trace.request.body is not None
    assert trace.request.body.startswith("\\xffxxx")
    assert len(trace.request.body) < 100_010
    assert trace.request.messages == []


def test_headers_with_credentials_are_redacted() -> None:
    """By their names; the others are kept."""
    collected = TraceCollector(
        "req-1", {"Authorization": "Bearer x", "Accept": "*/*"}, RequestRecord("chatcmpl-1"), 0.0, 0.0, request=REQUEST
    )
    assert collected.build(200, 1.0).request.headers == {"Authorization": "[redacted]", "Accept": "*/*"}


def test_an_order_by_trust_is_kept() -> None:
    """The trace says which order feedback suggests, and whether it was used."""
    trace = collector([PanelArranged(("b", "a"), decides=False)]).build(200, 101.0)
    assert trace.arrangement == schema.Arrangement(["b", "a"], decides=False)
    assert collector([]).build(200, 101.0).arrangement is None
