"""A candidate's behaviour when run: its results on the examples, and its values on further inputs. Pure."""

import builtins
from enum import StrEnum

from runtime.frozen import frozen
from runtime.sandbox.trials import Kind, Observation
from synth.evidence.examples import Example


class Result(StrEnum):
    """The result of a candidate on one example."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@frozen
class Checked:
    """The result of the operator's checker on one candidate.

    `passed` is None if that is not known: its time was over. `n_failed` is how many tests failed, or None if the output
    does not say. `output` is the end of its output.
    """

    passed: bool | None = None
    n_failed: int | None = None
    output: str = ""


@frozen
class Behaviour:
    """One candidate's results on the examples, each with what was observed, and its values on the other inputs.

    A value is None if it is unknown or an exception. `is_dead` says that it cannot be right: it does not load, or
    raises an exception on all inputs. `loaded` is how it loaded. `checked` is None if there is no checker.
    """

    loaded: Observation
    results: tuple[Result, ...] = ()
    observed: tuple[Observation, ...] = ()
    values: tuple[str | None, ...] = ()
    is_dead: bool = False
    checked: Checked | None = None

    @property
    def n_passed(self) -> int:
        """How many examples it passes."""
        return self.results.count(Result.PASSED)

    @property
    def n_unknown(self) -> int:
        """How many examples have an unknown result."""
        return self.results.count(Result.UNKNOWN)

    @property
    def passed_all(self) -> bool:
        """Whether there are examples or a checker, and it passes them all."""
        if self.checked is not None and not self.checked.passed:
            return False
        return bool(self.results or self.checked) and self.n_passed == len(self.results)

    @property
    def is_known(self) -> bool:
        """Whether running it gave any result."""
        if self.checked is not None and self.checked.passed is not None:
            return True
        return self.is_dead or any(result is not Result.UNKNOWN for result in self.results) or any(self.values)


NOTHING = Behaviour(Observation(Kind.UNKNOWN))
"""The behaviour of a candidate that was not run."""


def judge(example: Example, observation: Observation) -> Result:
    """Return how an observation compares with an example."""
    if observation.kind is Kind.UNKNOWN:
        return Result.UNKNOWN
    if example.raises:
        return _judge_exception(example.raises, observation.error)
    if observation.kind is Kind.ERROR or observation.equal is False:
        return Result.FAILED
    return Result.PASSED if observation.equal or example.expected is None else Result.UNKNOWN


def _judge_exception(expected: str, error: str) -> Result:
    """Return how an exception compares with the one expected, by their names: a subclass of it matches, too.

    The base classes of a type that is not built in are unknown.
    """
    if error == expected or not error:
        return Result.PASSED if error else Result.FAILED
    wanted, raised = getattr(builtins, expected, None), getattr(builtins, error, None)
    if isinstance(wanted, type) and isinstance(raised, type):
        return Result.PASSED if issubclass(raised, wanted) else Result.FAILED
    return Result.UNKNOWN
