"""The record of a request, filled from events."""

from decimal import Decimal
from typing import Any

import pytest

from config.settings import Model
from handlers.request_record import RequestRecord, as_number, rounded
from synth.events import (
    Answered,
    CandidateArrived,
    CandidateFailed,
    DecidedBy,
    Event,
    EvidenceFound,
    Finished,
    ModeChosen,
    PanelArranged,
    PanelSettled,
    ProposerLeftOut,
    TextDelta,
)
from synth.evidence.inquiry import Ranking, Standing
from synth.ledger import Ledger
from synth.normalize import Completion
from upstream.calls import Attempt, Call, Role
from upstream.errors import CallError, Kind

ANSWER = Completion("text", finish_reason="stop")


def call(name: str) -> Call:
    return Call(Model(name, "http://h", None, None, name), "proposer", [], {}, 0.0)


def record_of(*events: Event) -> RequestRecord:
    record = RequestRecord("chatcmpl-1", 10.0)
    for event in events:
        record.read(event)
    return record


def test_headers_and_log_fields_come_from_the_events() -> None:
    """A run with one candidate, one failure and one model left out is reported with all three outcomes."""
    record = record_of(
        CandidateArrived(call("a"), ANSWER),
        CandidateFailed(call("b"), CallError(Kind.TIMEOUT, "too slow")),
        ProposerLeftOut("c", "its window is too small"),
        PanelSettled(1, 3, 1.25),
        ModeChosen("fuse"),
        TextDelta("text"),
        Answered(ANSWER, DecidedBy.ONLY_CANDIDATE, "a"),
        Finished((Answered(ANSWER, DecidedBy.ONLY_CANDIDATE, "a"),), 0.5),
    )
    headers, facts = record.headers(), record.facts()
    assert (headers["x-mom-candidates"], headers["x-mom-decided-by"]) == ("1/3", "only_candidate")
    assert headers["Server-Timing"] == "panel;dur=1250.0, critic;dur=500.0"
    assert facts["panel"] == {"a": "ok", "b": "timeout", "c": "left_out"}
    assert (facts["author"], facts["panel_s"], facts["critic_s"]) == ("a", 1.25, 0.5)


RANKING = Ranking((Standing("a", passed_all=True), Standing("b", 1)), "examples", n_ran=2, run_s=0.01)


def test_the_last_evidence_is_in_the_headers_and_the_log() -> None:
    """Each further stage replaces the ranking of the one before."""
    first = EvidenceFound(Ranking((Standing("b"),), n_ran=1), decides=True)
    record = record_of(first, EvidenceFound(RANKING, decides=True), ModeChosen("select"))
    assert record.headers()["x-mom-evidence"] == record.facts()["evidence"] == "ran=2 passed=1 by=examples"


def test_without_examples_no_candidate_counts_as_failed() -> None:
    """Without an example there is no result to report."""
    ranking = Ranking((Standing("a"), Standing("b", 1)), "agreement", n_ran=2, is_tested=False)
    record = record_of(EvidenceFound(ranking, decides=True), ModeChosen("select"))
    assert record.headers()["x-mom-evidence"] == "ran=2 by=agreement"


def test_evidence_in_shadow_is_in_the_log_alone() -> None:
    """It did not decide the answer, so clients do not need it."""
    record = record_of(EvidenceFound(RANKING, decides=False), ModeChosen("select"))
    assert "x-mom-evidence" not in record.headers()
    assert record.facts()["evidence"] == "ran=2 passed=1 by=examples shadow"


def test_a_second_layer_has_entries_of_its_own() -> None:
    """A proposer that failed in layer 2 still has its success of layer 1."""
    error = CallError(Kind.CONNECT, "refused")
    record = record_of(CandidateArrived(call("a"), ANSWER), CandidateFailed(call("a"), error, layer=2))
    assert record.panel == {"a": "ok", "a (layer 2)": "connect"}


def test_a_request_that_never_ran_has_no_run_fields() -> None:
    """A refused request logs its client and error, and no tokens or mode."""
    record = RequestRecord(client="ci", error={"code": "overloaded"}, outcome="failed")
    assert record.headers() == {}
    assert record.facts() == {"client": "ci", "error": "overloaded"}


@pytest.mark.parametrize(
    ("seconds", "per_second", "expected"), [(None, 1000, None), (1.23456, 1000, 1.235), (2.0, 10, 2.0)]
)
def test_durations_are_rounded(seconds: float | None, per_second: int, expected: float | None) -> None:
    """Log lines have milliseconds, or another fraction of the second."""
    assert rounded(seconds, per_second) == expected


def test_money_is_a_json_number() -> None:
    """An unknown amount stays unknown, and is not 0."""
    assert (as_number(None), as_number(Decimal("0.25"))) == (None, 0.25)


def ended(name: str, seconds: float, outcome: str = "ok", cause: str = "", role: Role = "proposer") -> Call:
    done = call(name)
    done.role, done.started, done.ended, done.outcome, done.cause = role, 0.0, seconds, outcome, cause
    return done


def facts_of(*calls: Call) -> dict[str, Any]:
    return RequestRecord("chatcmpl-1", mode="fuse", ledger=Ledger(list(calls))).facts()


def test_the_log_says_who_failed_and_why() -> None:
    """Of each model the kind and the provider's own words, shortened; a straggler that was cancelled has not failed."""
    retried = ended("f", 1, "cancelled")
    retried.retrying_since = 0.5
    retried.attempts = [Attempt(0.0, message="Rate limit reached"), Attempt(0.5)]
    facts = facts_of(
        ended("a", 1),
        ended("b", 1, Kind.REJECTED, "Unsupported value: 'temperature' does not support 0"),
        ended("c", 1, "cancelled"),
        ended("d", 1, Kind.TIMEOUT, "x" * 1000, "critic"),
        ended("e", 1, Kind.CONNECT),
        retried,
    )
    assert facts["failed"] == {
        "b": "rejected: Unsupported value: 'temperature' does not support 0",
        "d (critic)": f"timeout: {'x' * 200}",
        "e": "connect",
        "f": "retrying: Rate limit reached",
    }
    assert "failed" not in facts_of(ended("a", 1))


@pytest.mark.parametrize(
    ("seconds", "slow"),
    [
        ([1, 2, 3], None),
        ([2, 3, 20], ["2"]),
        ([2, 20], ["1"]),
        ([30], None),  # alone there is nothing to compare it with
        ([20, 21, 22], None),  # all are slow, so none is
        ([0.1, 0.1, 4.9], None),
        ([3, 6, 6], None),  # most took as long
        ([3, 3, 6, 7], ["2", "3"]),
    ],
)
def test_the_log_says_who_was_slow(seconds: list[float], slow: list[str] | None) -> None:
    """Five seconds and more, and twice as long as the others."""
    facts = facts_of(*(ended(str(number), each) for number, each in enumerate(seconds)))
    assert (list(facts["slow"]) if "slow" in facts else None) == slow


def test_the_author_is_in_the_headers() -> None:
    """Beside the way in which the answer was decided."""
    record = record_of(ModeChosen("fuse"), Answered(ANSWER, DecidedBy.CRITIC, "gpt"))
    assert (record.headers()["x-mom-decided-by"], record.headers()["x-mom-author"]) == ("critic", "gpt")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (PanelArranged(("b", "a"), decides=True), "b,a"),
        (PanelArranged(("b", "a"), decides=False), "b,a shadow"),
        (PanelArranged(("b", "a"), decides=True, is_exploring=True), "b,a exploring"),
    ],
)
def test_the_order_by_trust_is_logged(event: PanelArranged, line: str) -> None:
    """The log line has the order of the panel that feedback suggests, and whether it was used."""
    assert record_of(event, ModeChosen("select")).facts()["trust"] == line
    assert "trust" not in record_of(ModeChosen("select")).facts()
