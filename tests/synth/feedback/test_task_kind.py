"""Naming the kind of task of a request."""

import pytest

from synth.contract.contract import Contract
from synth.edits import EditForm, Workspace
from synth.feedback.task_kind import name_kind
from tests.work_limit import limit_work


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Write a Python function that adds.", "python"),
        ("Fix src/app.ts, please.", "typescript"),
        ("```rust\nfn main() {}\n```", "rust"),
        ("```cpp\nint main() {}\n```", "c++"),
        ("Use C++ for it.", "c++"),
        ("JavaScript, not Java.", "javascript"),
        ("Java or JavaScript?", "java"),
        ("Port main.go to Python.", "go"),
        ("What is the capital of France?", "-"),
        ("Go there and be swift.", "-"),
        ("Pythonic code, and e.g. a list.", "-"),
        ("```\nplain\n```", "-"),
        ("", "-"),
    ],
)
def test_the_language_of_a_question(text: str, language: str) -> None:
    """The first fence, file name or language's name counts; words that are prose as well do not."""
    messages = [{"role": "user", "content": text}, {"role": "tool", "content": "a.rb"}]
    assert name_kind(Contract(), messages, "chat") == f"plain {language} chat"


def test_the_language_of_edits() -> None:
    """Edits are in the language of most files that are shown, whatever the question says."""
    contract = Contract(
        edits=EditForm.EDIT_BLOCKS, workspace=Workspace({"a.rs": "", "b.rs": "", "c.py": "", "LICENSE": ""})
    )
    messages = [{"role": "user", "content": "As in Python."}]
    assert name_kind(contract, messages, "messages") == "edits rust messages"


def test_a_long_question_is_linear() -> None:
    """Only the beginning of a question is read."""
    with limit_work(max_lines=2_000):
        name_kind(Contract(), [{"role": "user", "content": ".py" * 100_000}], "chat")
        name_kind(Contract(), [{"role": "user", "content": "java" * 100_000}], "chat")
