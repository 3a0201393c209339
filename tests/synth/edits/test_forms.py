"""Which edit form a conversation demands."""

import pytest

from synth.edits import EditForm, detect_edit_form
from tests.recordings import FOLDER, load
from tests.synth.edits.conversations import INSTRUCTIONS, conversation, message, shown

FILES = {"shop/cart.py": "total = 0\n"}


@pytest.mark.parametrize("form", INSTRUCTIONS)
def test_instructions_tell_the_form(form: EditForm) -> None:
    """By their marks, whatever their sentences; also in parts, and from a developer."""
    assert detect_edit_form(conversation(form, FILES)) is form
    rules = [{"type": "text", "text": INSTRUCTIONS[form]}]
    assert detect_edit_form([message("developer", rules), message("user", "Go.")]) is form


@pytest.mark.parametrize("form", INSTRUCTIONS)
def test_instructions_may_come_as_a_first_turn_that_is_only_acknowledged(form: EditForm) -> None:
    """Models without a system role get their instructions in this way."""
    turns = [message("user", INSTRUCTIONS[form]), message("assistant", "Ok."), message("user", "Go.")]
    assert detect_edit_form(turns) is form


@pytest.mark.parametrize("form", INSTRUCTIONS)
def test_talk_about_a_form_does_not_demand_it(form: EditForm) -> None:
    """A user may quote such instructions, or get them explained."""
    talk = message("user", f"What does this prompt mean?\n\n{INSTRUCTIONS[form]}")
    assert detect_edit_form([message("system", "You are a helpful guide."), talk]) is None
    assert detect_edit_form([talk]) is None
    explained = message("assistant", f"It asks for edits, like so:\n\n{INSTRUCTIONS[form]}")
    assert detect_edit_form([talk, explained, message("user", "Thanks!")]) is None


@pytest.mark.parametrize(
    "instructions",
    [
        "Write one line that says what the diff below changes.",
        "You review unified diffs: lines with `+++ ` and `--- ` name files.",
        "Plan the change in words. Another engineer will write the code.",
        "Answer questions on these files. Entire contents follow.\n\nmain.py\n```\nprint(1)\n```\n",
        "Use <diff>\n<<<<<<< SEARCH\n=======\n>>>>>>> REPLACE\n</diff> as the argument of the tool.",
        "Call apply_patch with *** Begin Patch, *** Update File: x, *** End Patch.",
        "",
    ],
)
def test_other_instructions_demand_no_edits(instructions: str) -> None:
    """Commit messages, reviews, plans, and agents that put edits into calls of their own."""
    assert detect_edit_form([message("system", instructions), *shown(FILES), message("user", "Go.")]) is None


def test_no_messages_demand_nothing() -> None:
    """Nor do messages without content."""
    assert detect_edit_form([]) is None
    assert detect_edit_form([message("assistant", None), message("tool", None)]) is None


@pytest.mark.parametrize(
    "wish",
    [
        "Sort a list. Reply with only a code block.",
        "Return exactly one fenced code block.",
        "Please answer with a single Python code block, nothing else.",
        "Output just the code block.",
    ],
)
def test_one_code_block_may_be_demanded(wish: str) -> None:
    """In the user's last message or in the system's."""
    assert detect_edit_form([message("user", wish)]) is EditForm.CODE
    assert detect_edit_form([message("system", wish), message("user", "Sort a list.")]) is EditForm.CODE
    assert (
        detect_edit_form([message("user", wish), message("assistant", "```\nx\n```"), message("user", "Why?")]) is None
    )


@pytest.mark.parametrize(
    "wish",
    [
        "Just explain the code block below.",
        "Give me a summary of the one code block that fails.",
        "Write a test for only one code block.",
        "How do I write a code block in Markdown?",
        "I only code in Rust.",
    ],
)
def test_other_requests_demand_no_code_block(wish: str) -> None:
    """Recognition is careful: an answer in prose must stay possible."""
    assert detect_edit_form([message("user", wish)]) is None


def _recorded_form(name: str) -> EditForm | None:
    if "commitmsg" in name or "-main" in name or "-ask-" in name:
        return None
    if "whole" in name or "default-format" in name:
        return EditForm.WHOLE_FILE
    marks = {"udiff": EditForm.UDIFF, "patch": EditForm.PATCH}
    return next((form for mark, form in marks.items() if mark in name), EditForm.EDIT_BLOCKS)


RECORDED = sorted(FOLDER.glob("*.json")) if FOLDER.is_dir() else []


@pytest.mark.skipif(not RECORDED, reason="recordings lie outside the project")
def test_answers_of_real_clients_are_recognised() -> None:
    """Each form of the coding tool is recognised, and no other client's request."""
    for path in RECORDED:
        expected = _recorded_form(path.name) if path.name.startswith("aider-") else None
        assert detect_edit_form(load(path).messages) is expected, path.name
