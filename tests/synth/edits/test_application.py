"""Edits of any form, applied. Tests of one form are in its own file."""

import pytest

from synth.edits import EditForm, EditStatus, Workspace, apply_edits
from tests.synth.edits.conversations import block

FILES = Workspace({"a.py": "x = 1\n"}, {"b.py": "y = 2\n"})
LONG = Workspace({"a.py": "".join(f"line {n % 50}\n" for n in range(20_000))})


@pytest.mark.parametrize("form", EditForm)
def test_words_alone_are_no_edits(form: EditForm) -> None:
    """A question may be right."""
    result = apply_edits(form, FILES, "Which file do you mean?")
    assert (result.status, result.findings, result.files) == (EditStatus.NONE, (), FILES.files)


@pytest.mark.parametrize("name", ["/etc/passwd", "../a.py", "what a fine day it is.py", "a|b.py", "a\0b.py"])
def test_a_new_file_needs_a_name_inside_the_project(name: str) -> None:
    """A lenient reader takes prose for a name."""
    assert apply_edits(EditForm.EDIT_BLOCKS, FILES, block(name, "", "x\n")).status is EditStatus.BROKEN


def test_the_outcome_is_the_files() -> None:
    """Text around the edits and white space at line ends do not matter."""
    one = apply_edits(EditForm.EDIT_BLOCKS, FILES, block("a.py", "x = 1\n", "x = 2\n"))
    other = apply_edits(EditForm.EDIT_BLOCKS, FILES, "Sure.\n" + block("a.py", "x = 1\n", "x = 2  \n"))
    assert one.outcome == other.outcome
    assert one.outcome != apply_edits(EditForm.EDIT_BLOCKS, FILES, block("a.py", "x = 1\n", "x = 3\n")).outcome


@pytest.mark.parametrize("form", [form for form in EditForm if form is not EditForm.CODE])
def test_an_answer_beyond_the_budget_is_broken(form: EditForm) -> None:
    """It is never an exception, and never a stall."""
    result = apply_edits(form, LONG, "x" * 1_000, steps=100)
    assert (result.status, result.findings) == (EditStatus.BROKEN, ("the edits are too complex to be checked",))
    assert result.files == LONG.files


def test_many_edits_of_a_long_file_are_within_the_budget() -> None:
    """Twenty thousand lines, and twenty blocks that are found in them."""
    files = Workspace({"a.txt": "".join(f"line {n}\n" for n in range(20_000))})
    text = "".join(block("a.txt", f"line {n}\n", f"row {n}\n") for n in range(0, 20_000, 1_000))
    assert apply_edits(EditForm.EDIT_BLOCKS, files, text).findings == ()
