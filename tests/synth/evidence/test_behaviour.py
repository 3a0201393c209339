"""What a sandbox observed becomes results: passed, failed, or not known."""

import pytest

from runtime.sandbox.trials import LOADED, Check, Kind, Observation, Report, failure, unknown
from synth.evidence.behaviour import NOTHING, Result, judge, plan_trial, read_report
from synth.evidence.examples import Example

EXAMPLE = Example("f", "f(1)", "2", setup="x = 1")
RAISES = Example("f", "f(0)", None, "ValueError")
RIGHT = Observation(Kind.VALUE, True, "2")
WRONG = Observation(Kind.VALUE, False, "3")
VALUE = Observation(Kind.VALUE, None, "5")
ERROR = failure("ValueError", "no")
UNKNOWN = unknown("why")


@pytest.mark.parametrize(
    ("example", "observation", "result"),
    [
        (EXAMPLE, RIGHT, Result.PASSED),
        (EXAMPLE, WRONG, Result.FAILED),
        (EXAMPLE, ERROR, Result.FAILED),
        (EXAMPLE, UNKNOWN, Result.UNKNOWN),
        (RAISES, ERROR, Result.PASSED),
        (RAISES, failure("KeyError", ""), Result.FAILED),
        (RAISES, VALUE, Result.FAILED),
        (RAISES, UNKNOWN, Result.UNKNOWN),
    ],
)
def test_an_observation_is_judged(example: Example, observation: Observation, result: Result) -> None:
    """A value is compared, an exception is expected or not, an unknown stays one."""
    assert judge(example, observation) is result


def test_a_trial_checks_examples_and_then_inputs() -> None:
    """Examples have their setup and their value, those that raise have none, inputs have neither."""
    trial = plan_trial("source", [EXAMPLE, RAISES], ["f(3)"])
    assert trial.source == "source"
    assert trial.checks == (Check("f(1)", "2", "x = 1"), Check("f(0)"), Check("f(3)"))


def test_a_report_is_read() -> None:
    """Results are of the examples, values of the inputs; an exception is no value."""
    report = Report(LOADED, (RIGHT, WRONG, VALUE, ERROR, UNKNOWN))
    behaviour = read_report(report, [EXAMPLE, EXAMPLE])
    assert behaviour.results == (Result.PASSED, Result.FAILED)
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
    """Dead is what does not load, or raises on all inputs; unknown is what was not seen to do anything."""
    behaviour = read_report(report, [EXAMPLE])
    assert (behaviour.is_dead, behaviour.is_known, len(behaviour.results)) == (is_dead, is_known, 1)


def test_an_expected_exception_kills_nobody() -> None:
    """A candidate that raises what it should is not dead for raising on all inputs."""
    assert not read_report(Report(LOADED, (ERROR,)), [RAISES]).is_dead


def test_passing_all_needs_examples() -> None:
    """Without examples nothing is passed."""
    assert read_report(Report(LOADED, (RIGHT,)), [EXAMPLE]).passed_all
    assert not read_report(Report(LOADED), []).passed_all
    assert not NOTHING.is_known
