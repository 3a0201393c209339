"""Questions whose answers a pattern recognises."""

import pytest

from eval import prose
from runtime.sandbox import programs
from runtime.sandbox.programs import Verdict


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("A queue.", Verdict.PASSED),
        ("Queue", Verdict.PASSED),
        ("A queue, not a stack.", Verdict.FAILED),
        ("", Verdict.FAILED),
    ],
)
def test_a_reply_is_graded_by_patterns(reply: str, verdict: Verdict) -> None:
    """It has the answer, and not the wrong one, in upper or lower case."""
    (item,) = [item for item in prose.items() if item.name == "queue"]
    program = item.program(reply)
    assert program is not None
    assert programs.run(program) is verdict


def test_names_and_questions_are_unique() -> None:
    """So that records and reports tell them apart."""
    items = prose.items()
    assert len({item.name for item in items}) == len({str(item.messages) for item in items}) == len(items) == 24


def test_no_question_contains_its_answer() -> None:
    """An answer that repeats the question must not be right."""
    questions = {item.name: str(item.messages[0]["content"]) for item in prose.items()}
    repeated = [
        item.name
        for item in prose.items()
        if (program := item.program(questions[item.name])) and "True" in program.files["main.py"]
    ]
    assert repeated == []
