"""The record of an answer, and the counts that follow from verdicts."""

import pytest

from synth.feedback.answer_record import (
    PANEL,
    AnswerRecord,
    count_revision,
    count_verdict,
    decode_record,
    identify_member,
    replaces,
)
from synth.feedback.verdict import Verdict

RECORD = AnswerRecord("r1:0", "mom", "edits python chat", ("a",), agreed=("b",), differed=("c",), front="a")


def test_a_record_survives_the_store() -> None:
    """A record comes back as it was; bytes of another form are no record."""
    record = AnswerRecord("r1:0", "mom", "code - chat", ("a",), True, ("b",), (), {"c": False}, "", Verdict.SEEMS_RIGHT)
    assert decode_record(record.encode()) == record
    assert decode_record(b'{"mixture": "mom"}') is None
    assert decode_record(b"\xff") is None


def test_a_model_of_another_id_is_another_member() -> None:
    """A name in config.yaml that stands for another model starts anew."""
    assert identify_member("fast", "m-1") != identify_member("fast", "m-2")


def test_a_right_answer() -> None:
    """Its author and the members that agreed were right; the others stay open."""
    assert count_verdict(RECORD, Verdict.RIGHT) == {
        (PANEL, "right"): 1,
        (PANEL, "picked"): 1,
        ("a", "right"): 1,
        ("b", "right"): 1,
        ("c", "open_right"): 1,
        ("a", "front_right"): 1,
    }


def test_a_wrong_answer() -> None:
    """If another member may have been right, it is open whether all failed together."""
    counts = count_verdict(RECORD, Verdict.WRONG)
    assert counts[PANEL, "wrong"] == counts["a", "wrong"] == counts["b", "wrong"] == counts["c", "open_wrong"] == 1
    assert (PANEL, "all_wrong") not in counts
    assert (PANEL, "some_right") not in counts


@pytest.mark.parametrize(("known", "name"), [({"c": False}, "all_wrong"), ({"c": True}, "some_right")])
def test_all_failed_together(known: dict[str, bool], name: str) -> None:
    """Evidence on the others says whether all failed."""
    record = AnswerRecord("r1:0", "mom", "k", ("a",), agreed=("b",), differed=("c",), known=known)
    assert count_verdict(record, Verdict.WRONG)[PANEL, name] == 1


def test_members_without_a_candidate_do_not_count() -> None:
    """An only candidate that is wrong: all that answered failed."""
    assert count_verdict(AnswerRecord("r1:0", "mom", "k", ("a",)), Verdict.WRONG)[PANEL, "all_wrong"] == 1


def test_a_right_answer_of_one_member_alone() -> None:
    """Without its only author the panel would not have had the right answer."""
    assert (
        count_verdict(AnswerRecord("r1:0", "mom", "k", ("a",), differed=("b",)), Verdict.RIGHT)["a", "only_right"] == 1
    )
    assert ("a", "only_right") not in count_verdict(RECORD, Verdict.RIGHT)


def test_saved_and_lost_answers_are_counted() -> None:
    """A member that is known to be wrong was saved by a right answer, and one that was right lost to a wrong one."""
    record = AnswerRecord("r1:0", "mom", "k", ("a",), differed=("b", "c"), known={"b": False, "c": True})
    assert count_verdict(record, Verdict.RIGHT)["b", "saved"] == 1
    assert count_verdict(record, Verdict.WRONG)["c", "lost"] == 1
    assert ("c", "saved") not in count_verdict(record, Verdict.RIGHT)


def test_a_critic_is_no_member() -> None:
    """An answer that a critic wrote counts for the panel as a whole, and leaves its members open."""
    record = AnswerRecord("r1:0", "mom", "k", ("critic",), is_by_critic=True, differed=("a", "b"))
    counts = count_verdict(record, Verdict.RIGHT)
    assert counts == {(PANEL, "right"): 1, ("a", "open_right"): 1, ("b", "open_right"): 1}


def test_no_verdict_counts_for_nothing() -> None:
    """Without a verdict nothing is counted."""
    assert count_verdict(RECORD, Verdict.NONE) == {}


def test_a_revision_undoes_earlier_counts() -> None:
    """A verdict that replaces another one leaves the counts as if it had been the first."""
    applied = AnswerRecord(
        "r1:0", "mom", "k", ("a",), agreed=("b",), differed=("c",), front="a", verdict=Verdict.SEEMS_RIGHT
    )
    total = count_verdict(applied, Verdict.SEEMS_RIGHT)
    for key, amount in count_revision(applied, Verdict.WRONG).items():
        total[key] = total.get(key, 0) + amount
    assert {key: amount for key, amount in total.items() if amount} == count_verdict(applied, Verdict.WRONG)
    assert count_revision(applied, Verdict.RIGHT) == {}


def test_which_verdicts_replace() -> None:
    """The first verdict counts until a final one comes; a final one stays."""
    known = {verdict: AnswerRecord("r1:0", "mom", "k", ("a",), verdict=verdict) for verdict in Verdict}
    assert replaces(Verdict.SEEMS_RIGHT, known[Verdict.NONE])
    assert replaces(Verdict.WRONG, known[Verdict.SEEMS_RIGHT])
    assert not replaces(Verdict.SEEMS_WRONG, known[Verdict.SEEMS_RIGHT])
    assert not replaces(Verdict.SEEMS_RIGHT, known[Verdict.SEEMS_RIGHT])
    assert not any(replaces(verdict, known[Verdict.WRONG]) for verdict in Verdict)
