"""Verdicts, and their precedence."""

from synth.feedback.verdict import Reading, Signal, Verdict, worst


def test_only_some_verdicts_are_final() -> None:
    """An applied edit may still fail its tests; a failed test stays failed."""
    assert [verdict for verdict in Verdict if verdict.is_final] == [Verdict.RIGHT, Verdict.WRONG]
    assert [verdict.is_right for verdict in Verdict] == [None, True, False, True, False]


def test_a_failure_decides() -> None:
    """Of several readings of one answer the worst counts: an edit that applied and fails its tests was wrong."""
    applied, failed = Reading(Verdict.SEEMS_RIGHT, Signal.EDIT_APPLIED), Reading(Verdict.WRONG, Signal.TESTS)
    passed, odd = Reading(Verdict.RIGHT, Signal.TESTS), Reading(Verdict.SEEMS_WRONG, Signal.TOOL_ERROR)
    assert worst([applied, failed, passed]) == failed
    assert worst([passed, odd]) == odd
    assert worst([applied, passed]) == passed
    assert worst([]) is None
