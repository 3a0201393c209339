"""Findings describe a candidate's behaviour on one line."""

import pytest

from runtime.sandbox.trials import LOADED, Kind, Observation, Report, Trial, failure, unknown
from synth.evidence.behaviour import NOTHING, Behaviour
from synth.evidence.examples import Example
from synth.evidence.finding import cut, describe, describe_failure
from synth.evidence.plan import Part, Plan, read_reports

ONE, EMPTY = Example("f", "f([1])", "1"), Example("f", "f([])", "0")


def read_report(report: Report, examples: list[Example]) -> Behaviour:
    """Return the behaviour of a candidate of one part."""
    part = Part(Trial(""), tuple(examples), tuple(range(len(examples))))
    return read_reports(Plan((part,)), [report], len(examples))


RIGHT = Observation(Kind.VALUE, True, "1")


@pytest.mark.parametrize(
    ("report", "finding", "failed"),
    [
        (Report(LOADED, (RIGHT, RIGHT)), "passes 2 of 2 examples", None),
        (
            Report(LOADED, (RIGHT, failure("IndexError", "list index out of range"))),
            "passes 1 of 2 examples; fails `f([]) == 0`: IndexError: list index out of range",
            "`f([]) == 0`: IndexError: list index out of range",
        ),
        (
            Report(LOADED, (Observation(Kind.VALUE, False, "[\n1]"), RIGHT)),
            "passes 1 of 2 examples; fails `f([1]) == 1`: gave [ 1]",
            "`f([1]) == 1`: gave [ 1]",
        ),
        (Report(LOADED, (RIGHT, unknown("late"))), "passes 1 of 2 examples; 1 could not be run", None),
        (
            Report(failure("SyntaxError", "no")),
            "does not load: SyntaxError: no",
            "`f([1]) == 1`: SyntaxError: no",
        ),
        (Report(unknown("Monty lacks yield")), "could not be run: Monty lacks yield", None),
    ],
)
def test_a_finding_describes_the_results(report: Report, finding: str, failed: str | None) -> None:
    """The number of passed examples, the first failure, and the number of unknown results."""
    behaviour = read_report(report, [ONE, EMPTY])
    assert describe(behaviour, [ONE, EMPTY]) == finding
    assert describe_failure(behaviour, [ONE, EMPTY]) == failed


def test_without_examples() -> None:
    """Only a candidate that cannot be right has a finding."""
    assert describe(read_report(Report(LOADED, (RIGHT,)), []), []) == ""
    assert (
        describe(read_report(Report(LOADED, (failure("KeyError", ""),)), []), [])
        == "raises an exception on every input"
    )
    assert describe(NOTHING, []) == ""


def test_texts_are_cut() -> None:
    assert len(cut("x y\n" * 1000)) == 120
