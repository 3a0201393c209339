"""What a request for code says, and what is run of an answer to it."""

import pytest

from runtime.sandbox.trials import Check
from synth.evidence.code_task import CodeTask, read_code_task
from synth.evidence.examples import Example

ASK = 'def largest(xs: list[int]):\n    """Return the largest.\n\n    >>> largest([1, 3, 2])\n    3\n    """\n'
ANSWER = "```python\ndef largest(xs):\n    return max(xs)\n```"


@pytest.mark.parametrize(
    ("text", "function", "n_examples"),
    [
        (f"```python\n{ASK}```", "largest", 1),
        ("Write a Python function `add`, such that add(1, 2) should be 3.", "add", 1),
        ("Write f.\n\nassert f(1) == 2\nassert f(2) == 3", "f", 2),
        ("What does f do?", "", 0),
        ("", "", 0),
    ],
)
def test_a_request_is_read(text: str, function: str, n_examples: int) -> None:
    """The function that is wanted, and the examples of it."""
    task = read_code_task(text)
    assert (task.function, len(task.examples), task.can_rank) == (function, n_examples, n_examples > 0)


def test_an_answer_is_planned() -> None:
    """Examples are checked first, and then inputs that are like theirs."""
    task = read_code_task(f"```python\n{ASK}```")
    plan = task.plan(ANSWER)
    assert plan is not None
    [part] = plan.parts
    assert part.examples == (Example("largest", "largest([1, 3, 2])", "3"),)
    assert part.trial.checks[0] == Check("largest([1, 3, 2])", "3")
    assert len(part.trial.checks) == 1 + len(task.inputs) > 1
    assert "return max(xs)" in part.trial.source
    assert task.plan("I do not know.") is None
    assert CodeTask().plan(ANSWER) is None


def test_without_examples_inputs_remain() -> None:
    """Leaving examples out leaves what candidates are compared on."""
    task = read_code_task(f"```python\n{ASK}```")
    bare = task.with_examples(())
    assert (bare.can_rank, bare.inputs) == (False, task.inputs)


def test_answers_may_name_the_function() -> None:
    """Only if the request wants code, and does not say which."""
    task = CodeTask(is_for_code=True).with_answers([ANSWER, ANSWER])
    assert task.function == "largest"
    assert CodeTask().with_answers([ANSWER]) == CodeTask()
    known = read_code_task(f"```python\n{ASK}```", is_for_code=True)
    assert known.with_answers(["```python\ndef other(): pass\n```"]) is known
