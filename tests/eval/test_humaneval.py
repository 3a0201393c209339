"""HumanEval is read, asked in the form of one code block, and graded by its own tests."""

from typing import Any

import pytest

from eval import humaneval
from runtime.sandbox import programs
from runtime.sandbox.programs import Verdict
from synth.contract.contract import derive_contract
from synth.edits import EditForm
from synth.request import ChatRequest

ROW: dict[str, Any] = {
    "task_id": "Own/0",
    "prompt": 'import math\n\n\ndef double(x):\n    return 2 * x\n\n\ndef area(r):\n    """Return the area."""\n',
    "entry_point": "area",
    "canonical_solution": "    return math.pi * double(r) * r / 2\n",
    "test": "def check(candidate):\n    assert abs(candidate(1) - 3.14159) < 0.001\n",
}


def verdict(text: str) -> Verdict:
    """Return how an answer to the item above is graded."""
    program = humaneval.item(ROW).program(text)
    assert program is not None
    return programs.run(program)


def test_it_asks_for_one_code_block() -> None:
    request = ChatRequest(None, humaneval.item(ROW).messages, {})
    assert derive_contract(request).edits is EditForm.CODE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\ndef area(r):\n    return math.pi * r * r\n```", Verdict.PASSED),
        ("```python\ndef area(r):\n    return math.pi * double(r) * r / 2\n```", Verdict.PASSED),
        ("Sure:\n```python\nimport math\ndef area(r):\n    return math.pi * r * r\n```\nDone.", Verdict.PASSED),
        ("```python\n    return math.pi * r * r\n```", Verdict.PASSED),
        ("    return math.pi * r * r", Verdict.PASSED),
        ("```python\ndef area(r):\n    return r\n```", Verdict.FAILED),
        ("I do not know.", Verdict.FAILED),
        ("", Verdict.FAILED),
    ],
)
def test_an_answer_is_graded(text: str, expected: Verdict) -> None:
    """A whole function passes, in a fence or without, and a body alone; names of the prompt are there."""
    assert verdict(text) is expected


def test_the_data_set_is_sound() -> None:
    """All 164 items are there, shortest first, and a solution passes its own item."""
    items = humaneval.items()
    assert len(items) == 164
    assert items[0].name == "HumanEval/41"


SHOWN = {
    **ROW,
    "prompt": 'def area(r):\n    """Return the area.\n    >>> area(1)\n    3\n    >>> area(-1)\n    0\n    """\n',
    "canonical_solution": "    return 3 * r * r if r > 0 else 0\n",
    "test": (
        "def check(candidate):\n    assert candidate(1) == 3\n    assert candidate(-1) == 0, 'negative'\n"
        "    assert candidate(2) == 12\n    assert candidate(1) + candidate(2) == 15\n"
    ),
}
CHEATS = "```python\ndef area(r):\n    return {1: 3, -1: 0}[r]\n```"
RIGHT = "```python\ndef area(r):\n    return 3 * r * r if r > 0 else 0\n```"


def test_tests_that_are_shown_are_hidden() -> None:
    """An assert with the arguments of an example is left out; one with others as well stays."""
    tests = humaneval.hide_shown_tests(SHOWN)
    assert tests is not None
    assert tests.count("assert") == 2
    for text, expected in [(RIGHT, Verdict.PASSED), (CHEATS, Verdict.FAILED)]:
        program = humaneval.item({**SHOWN, "test": tests}).program(text)
        assert program is not None
        assert programs.run(program) is expected


def test_an_item_whose_tests_are_all_shown_is_left_out() -> None:
    only = {**SHOWN, "test": "def check(candidate):\n    assert candidate(1) == 3\n"}
    assert humaneval.hide_shown_tests(only) is None
    assert humaneval.hide_shown_tests(ROW) is not None


def test_most_items_have_tests_that_are_not_shown() -> None:
    """The second suite has nearly all items, and fewer asserts."""
    hidden = humaneval.hidden_items()
    assert 155 <= len(hidden) < 164
    assert {item.suite for item in hidden} == {"humaneval-hidden"}
