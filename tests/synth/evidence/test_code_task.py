"""The task of a request for code, and the plan for an answer to it."""

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
    """The wanted function and its examples."""
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


def shown(task: CodeTask) -> list[str]:
    return [example.shown for example in task.examples]


def test_pairs_are_read_for_a_class() -> None:
    """They call its only method."""
    text = "```python\nclass Solution:\n    def add(self, a: int, b: int) -> int:\n```\nInput: a = 1, b = 2\nOutput: 3"
    task = read_code_task(text)
    assert task.function == "Solution"
    assert shown(task) == ["Solution().add(a = 1, b = 2) == 3"]


def test_pairs_of_a_type_that_cannot_be_written_are_left_out() -> None:
    text = "```python\ndef depth(root: TreeNode) -> int:\n```\nInput: root = [3, null, 2]\nOutput: 2"
    assert read_code_task(text).examples == ()


def test_pairs_are_read_for_a_function_that_a_sentence_names() -> None:
    task = read_code_task("Write a function `add(a, b)`.\nInput: a = 1, b = 2\nOutput: 3")
    assert shown(task) == ["add(a = 1, b = 2) == 3"]


def test_pairs_are_read_for_the_function_that_all_answers_define() -> None:
    """If the request names none."""
    task = read_code_task('Reverse a string in Python.\nInput: "ab"\nOutput: "ba"', is_for_code=True)
    assert not task.can_rank
    answers = [f"```python\ndef rev(text):\n    return {code}\n```" for code in ("text[::-1]", "text")]
    assert shown(task.with_answers(answers)) == ["rev('ab') == \"ba\""]


@pytest.mark.parametrize(
    ("docstring", "example"),
    [
        ('"""\n    >>> f("a\\\\n")\n    1\n    """', "f('a\\n') == 1"),
        ('r"""\n    >>> f("a\\n")\n    1\n    """', "f('a\\n') == 1"),
        ('r"""\n    >>> f("a\\\\n")\n    1\n    """', "f('a\\\\n') == 1"),
        ('"""\n    >>> f("a\\n")\n    1\n    """', "f('a\\n') == 1"),
    ],
)
def test_docstrings_are_read_as_python_reads_them(docstring: str, example: str) -> None:
    """Double backslashes are single ones, except in raw docstrings; a forgotten one is taken as it is meant."""
    assert shown(read_code_task(f"```python\ndef f(x):\n    {docstring}\n```")) == [example]


def test_asynchronous_functions_are_run_to_their_end() -> None:
    """By the check, unless the example does so itself."""
    task = read_code_task("Write a function f.\nassert f(1) == 2\nassert asyncio.run(f(2)) == 3")
    plan = task.plan("```python\nasync def f(x):\n    return x + 1\n```")
    assert plan is not None
    first, second, *_ = plan.parts[0].trial.checks
    assert first == Check("asyncio.run(f(1))", "2", "import asyncio\n")
    assert second == Check("asyncio.run(f(2))", "3", "import asyncio\n")


@pytest.mark.parametrize(
    ("text", "examples"),
    [
        ("f([]) raises IndexError. It should be 0.", ["f([1, 2]) == 3", "f([]) == 0"]),
        ("f([1, 2]) returns 4, and f([]) must be 0.", ["f([1, 2]) == 3", "f([]) == 0"]),
        ("f([1, 2]) should be 5 now", ["f([1, 2]) == 5"]),
        ("Now write g: g(1) returns 2.", ["g(1) == 2"]),
        ("f([1,2]) should be 4", ["f([1,2]) == 4"]),
        ("Actually, f([1, 2]) should be 4.", ["f([1, 2]) == 4"]),
        ("I changed my mind: f([1,2]) should be 4", ["f([1,2]) == 4"]),
        ("f([1, 2]) should now return 4", ["f([1, 2]) == 4"]),
        ("Return a pair instead: f([3]) should be (3, 1)", ["f([3]) == (3, 1)"]),
        ("Now f should raise ValueError: f([]) should raise ValueError", ["f([]) raises ValueError"]),
        ("```python\ndef f(x):\n    pass\n```\nf(1) returns 2.", ["f(1) == 2"]),
    ],
)
def test_a_conversation_goes_on(text: str, examples: list[str]) -> None:
    """What was asked for before still holds; what the code does now is no example; another function is a new task."""
    assert shown(read_code_task(text, "Write f that adds: f([1, 2]) should be 3.")) == examples


def test_the_answers_show_what_a_conversation_goes_on_about() -> None:
    """If the last message names no function: one answer is enough, if it defines what has examples."""
    task = read_code_task("Make it faster, please.", f"```python\n{ASK}```", is_for_code=True)
    assert (task.function, task.can_rank) == ("", False)
    assert shown(task.with_answers([ANSWER])) == ["largest([1, 3, 2]) == 3"]
    assert task.with_answers(["```python\ndef other(x):\n    return 1\n```"]).function == ""


@pytest.mark.parametrize(
    "text",
    [
        "Raise ValueError on an empty list instead of returning 0.",
        "Turn this into a class, please.",
        "Take varargs instead.",
        "Rename it to biggest.",
        "It should no longer return a number.",
    ],
)
def test_examples_of_a_contract_that_changes_no_longer_count(text: str) -> None:
    task = read_code_task(text, f"```python\n{ASK}```", is_for_code=True)
    assert shown(task.with_answers([ANSWER, ANSWER])) == []
