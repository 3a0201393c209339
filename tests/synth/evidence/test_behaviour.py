"""A sandbox's observations become results: passed, failed or unknown."""

import pytest

from runtime.sandbox.trials import LOADED, Kind, Observation, failure, unknown
from synth.evidence.behaviour import NOTHING, Behaviour, Result, judge
from synth.evidence.examples import Example

EXAMPLE = Example("f", "f(1)", "2", setup="x = 1")
RAISES = Example("f", "f(0)", None, "ValueError")
HARMLESS = Example("f", "f(0)", None)
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
        (HARMLESS, VALUE, Result.PASSED),
        (HARMLESS, ERROR, Result.FAILED),
        (HARMLESS, UNKNOWN, Result.UNKNOWN),
        (RAISES, ERROR, Result.PASSED),
        (RAISES, failure("KeyError", ""), Result.FAILED),
        (RAISES, failure("UnicodeDecodeError", ""), Result.PASSED),
        (RAISES, failure("MyError", ""), Result.UNKNOWN),
        (Example("f", "f(0)", None, "MyError"), failure("MyError", ""), Result.PASSED),
        (Example("f", "f(0)", None, "LookupError"), failure("KeyError", ""), Result.PASSED),
        (RAISES, VALUE, Result.FAILED),
        (RAISES, UNKNOWN, Result.UNKNOWN),
    ],
)
def test_an_observation_is_judged(example: Example, observation: Observation, result: Result) -> None:
    """A value is compared, an exception is expected or not, an unknown stays one."""
    assert judge(example, observation) is result


def test_an_unrun_candidate_neither_passes_nor_fails() -> None:
    """A candidate that was not run neither passes nor fails, and is not dead."""
    assert not NOTHING.is_known
    assert not NOTHING.passed_all
    assert not NOTHING.is_dead


def test_passing_all_needs_examples() -> None:
    assert Behaviour(LOADED, (Result.PASSED,)).passed_all
    assert not Behaviour(LOADED, (Result.PASSED, Result.UNKNOWN)).passed_all
    assert not Behaviour(LOADED).passed_all
