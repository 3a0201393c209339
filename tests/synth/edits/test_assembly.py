"""Hunks of several answers, assembled. The properties of all forms are in test_hunks.py."""

from runtime.budget import Budget
from synth.edits import EditForm, Workspace, apply_edits, assemble_hunks, find_conflict
from synth.edits.application import MAX_STEPS
from tests.synth.edits.conversations import block

FILES = Workspace({"a.py": "x = 1\ny = 2\n", "b.py": "z = 3\n"})
FORM = EditForm.EDIT_BLOCKS
ONE = apply_edits(FORM, FILES, block("a.py", "x = 1\n", "x = 10\n")).hunks
TWO = apply_edits(FORM, FILES, block("a.py", "y = 2\n", "y = 20\n") + block("b.py", "z = 3\n", "z = 30\n")).hunks
SAME = apply_edits(FORM, FILES, block("a.py", "x = 1\n", "x = 11\n")).hunks


def test_hunks_of_different_regions_make_one_answer() -> None:
    """Each verbatim, and all of them apply."""
    assert find_conflict(FORM, FILES, [ONE, TWO], Budget(MAX_STEPS)) is None
    text = assemble_hunks(FORM, [*ONE, *TWO])
    assert all(hunk.text in text for hunk in (*ONE, *TWO))
    assert apply_edits(FORM, FILES, text).files == {"a.py": "x = 10\ny = 20\n", "b.py": "z = 30\n"}


def test_hunks_of_the_same_lines_conflict() -> None:
    """The file is named."""
    assert find_conflict(FORM, FILES, [ONE, SAME], Budget(MAX_STEPS)) == "two answers change the same lines of a.py"
