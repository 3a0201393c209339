"""The `mom` of a reply, made from a run's events."""

from typing import Any

import pytest

from config.settings import Critic, Mixture, Proposer
from handlers.api.reply.run_report import RunReport
from handlers.request_record import RequestRecord
from synth.events import (
    Answered,
    CandidateArrived,
    CandidateFailed,
    DecidedBy,
    EvidenceFound,
    Finished,
    PickMade,
    ProposerLeftOut,
)
from synth.evidence.inquiry import Ranking, Standing
from synth.normalize import Completion
from tests.running import model
from upstream.calls import Call, Role
from upstream.errors import CallError, Kind

MIXTURE = Mixture("mom", (Proposer("a", {}, 1), Proposer("a", {}, 2), Proposer("b")), Critic("c"))
FINISHED = Finished((Answered(Completion("x"), DecidedBy.CHOSEN, "a#2"),), 0.5)


def call(name: str, role: Role = "proposer") -> Call:
    found = Call(model(name.partition("#")[0], "http://127.0.0.1:1/v1"), role, [], {}, 9.0, alias=name)
    found.started, found.ended = 1.0, 2.25
    return found


def build(*events: Any, show: Any = ("candidates", "verdict")) -> dict[str, Any]:
    report, record = RunReport(frozenset(show), MIXTURE), RequestRecord()
    for event in events:
        report.read(event)
        record.read(event)
    return report.build(FINISHED, record)


def test_candidates_are_in_the_order_of_the_panel() -> None:
    """Whoever was fastest: layer by layer, the operator's ranking in each; failures likewise."""
    report = build(
        CandidateArrived(call("b"), Completion("2b"), layer=2),
        CandidateArrived(call("b"), Completion("b")),
        CandidateArrived(call("a#2"), Completion("a2"), "broken"),
        ProposerLeftOut("b", "too long", 2),
        CandidateFailed(call("a#1"), CallError(Kind.TIMEOUT, "late")),
    )
    assert [(each["layer"], each["name"], each["text"]) for each in report["candidates"]] == [
        (1, "a#2", "a2"),
        (1, "b", "b"),
        (2, "b", "2b"),
    ]
    assert (report["candidates"][0]["model"], report["candidates"][0]["finding"]) == ("a", "broken")
    assert report["candidates"][0]["seconds"] == 1.25
    assert report["failures"] == [
        {"name": "a#1", "layer": 1, "kind": "timeout", "message": "late"},
        {"name": "b", "layer": 2, "kind": "left_out", "message": "too long"},
    ]


def test_the_last_ranking_counts() -> None:
    """A further stage replaces the ranking; a candidate that was not run has none."""
    early, late = Standing("b", 1, "fails"), Standing("b", 0, "passes 1 of 1 examples", passed_all=True)
    report = build(
        CandidateArrived(call("a#1"), Completion("a")),
        CandidateArrived(call("b"), Completion("b")),
        EvidenceFound(Ranking((early,), "", 1), decides=True),
        EvidenceFound(Ranking((late,), "examples", 1), decides=False),
    )
    assert [each["evidence"] for each in report["candidates"]] == [
        None,
        {"tier": 0, "finding": "passes 1 of 1 examples", "passed_all": True},
    ]
    assert report["verdict"]["evidence"] == {"by": "examples", "decides": False, "ran": 1, "passed": 1}


def test_a_verdict_has_the_critics_words() -> None:
    """Each pick with the model that made it."""
    verdict = build(PickMade(call("c", "critic"), Completion("B, because")))["verdict"]
    assert verdict["picks"] == [{"model": "c", "text": "B, because"}]
    assert (verdict["decided_by"], verdict["author"], verdict["defects"]) == ("chosen", "a#2", None)


@pytest.mark.parametrize(
    ("show", "keys"), [(["candidates"], {"candidates", "failures"}), (["verdict"], {"verdict"}), ([], set())]
)
def test_only_the_parts_that_are_asked_for(show: list[str], keys: set[str]) -> None:
    """Candidates come with the failures beside them."""
    assert set(build(show=show)) == keys
