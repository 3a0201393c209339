"""The observations of a candidate's parts become one behaviour."""

import pytest

from runtime.sandbox.trials import LOADED, Kind, Observation, Report, Trial, failure, unknown
from synth.evidence.behaviour import Result
from synth.evidence.examples import Example
from synth.evidence.plan import Part, Plan, read_reports

EXAMPLE = Example("f", "f(1)", "2")
RAISES = Example("f", "f(0)", None, "ValueError")
RIGHT = Observation(Kind.VALUE, True, "2")
WRONG = Observation(Kind.VALUE, False, "3")
VALUE = Observation(Kind.VALUE, None, "5")
ERROR = failure("ValueError", "no")
UNKNOWN = unknown("why")
P, F, U = Result.PASSED, Result.FAILED, Result.UNKNOWN


def part(*examples: Example, places: tuple[int, ...] | None = None, folded: bool = False) -> Part:
    return Part(Trial(""), examples, tuple(range(len(examples))) if places is None else places, folded)


def test_results_and_values_are_distinguished() -> None:
    """The first checks are examples, the others give values; an exception is no value."""
    report = Report(LOADED, (RIGHT, WRONG, VALUE, ERROR, UNKNOWN))
    behaviour = read_reports(Plan((part(EXAMPLE, EXAMPLE),)), [report], 2)
    assert behaviour.results == (P, F)
    assert behaviour.values == ("5", None, None)
    assert (behaviour.n_passed, behaviour.passed_all, behaviour.is_dead) == (1, False, False)


@pytest.mark.parametrize(
    ("report", "is_dead", "is_known"),
    [
        (Report(failure("SyntaxError", "")), True, True),
        (Report(UNKNOWN), False, False),
        (Report(LOADED, (ERROR, ERROR)), True, True),
        (Report(LOADED, (ERROR, UNKNOWN)), False, True),
        (Report(LOADED, (UNKNOWN, UNKNOWN)), False, False),
        (Report(LOADED, (UNKNOWN, VALUE)), False, True),
        (Report(LOADED, (ERROR, VALUE)), False, True),
    ],
)
def test_the_dead_and_the_unknown(report: Report, *, is_dead: bool, is_known: bool) -> None:
    """A candidate is dead if it does not load or raises on all inputs, and unknown without an observation."""
    behaviour = read_reports(Plan((part(EXAMPLE),)), [report], 1)
    assert (behaviour.is_dead, behaviour.is_known, len(behaviour.results)) == (is_dead, is_known, 1)


def test_a_candidate_with_an_expected_exception_is_not_dead() -> None:
    """A candidate that raises what it should is not dead for raising on all inputs."""
    assert not read_reports(Plan((part(RAISES),)), [Report(LOADED, (ERROR,))], 1).is_dead


def test_parts_have_their_places() -> None:
    """Each part's results are at the places of its examples; examples without a part are unknown."""
    plan = Plan((part(EXAMPLE, places=(2,)), part(EXAMPLE, places=(0,))), known=((3, F, "undefined: x"),))
    behaviour = read_reports(plan, [Report(LOADED, (RIGHT,)), Report(LOADED, (WRONG,))], 4)
    assert behaviour.results == (F, U, P, F)
    assert behaviour.observed[3].message == "undefined: x"


@pytest.mark.parametrize(
    ("observed", "result"),
    [((RIGHT, RIGHT), P), ((RIGHT, UNKNOWN), U), ((UNKNOWN, WRONG), F), ((RIGHT, ERROR), F)],
)
def test_a_folded_part_is_one_result(observed: tuple[Observation, ...], result: Result) -> None:
    """It fails if anything in it fails, and passes if all does."""
    plan = Plan((part(EXAMPLE, EXAMPLE, places=(0,), folded=True),))
    assert read_reports(plan, [Report(LOADED, observed)], 1).results == (result,)


def test_a_part_that_does_not_load_kills_all() -> None:
    """One file that the edit breaks is enough; an unknown result is not."""
    plan = Plan((part(EXAMPLE, places=(0,)), part(EXAMPLE, places=(1,))))
    assert read_reports(plan, [Report(LOADED, (RIGHT,)), Report(failure("NameError", ""))], 2).is_dead
    mixed = read_reports(plan, [Report(LOADED, (RIGHT,)), Report(UNKNOWN)], 2)
    assert (mixed.is_dead, mixed.results) == (False, (P, U))


def test_tests_that_do_not_load_are_unknown() -> None:
    """They may need what the sandbox lacks; the candidate's own module still counts."""
    tests = Part(Trial(""), (EXAMPLE,), (1,), of_tests=True)
    plan = Plan((part(EXAMPLE, places=(0,)), tests))
    behaviour = read_reports(plan, [Report(LOADED, (RIGHT,)), Report(failure("NameError", ""))], 2)
    assert (behaviour.is_dead, behaviour.results) == (False, (P, U))


def test_a_plan_without_parts() -> None:
    """Findings without a run count."""
    behaviour = read_reports(Plan((), known=((0, F, "undefined: x"),)), [], 1)
    assert (behaviour.results, behaviour.is_dead, behaviour.loaded) == ((F,), False, LOADED)
