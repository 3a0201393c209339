"""The files that an answer changes."""

import pytest

from handlers.ui.diffs import DiffBudget
from handlers.ui.request.file_changes import EditContext, FileChanges
from synth.edits import EditForm
from tests.synth.edits.conversations import block, conversation, message

PATH = "shapes.py"
SHOWN = {PATH: "def square(side):\n    return side\n"}


def changes_of(text: str) -> FileChanges:
    context = EditContext.of_request(conversation(EditForm.EDIT_BLOCKS, SHOWN), {})
    assert context is not None
    return context.apply(text, DiffBudget())


def test_a_new_file_is_called_new() -> None:
    """Its lines are all added."""
    (file,) = changes_of(block("new.py", "", "X = 1\n")).files
    assert (file.path, file.kind, file.diff.n_added) == ("new.py", "new", 1)


def test_a_prose_answer_changes_no_files() -> None:
    """It has no findings either."""
    changes = changes_of("Which of them?")
    assert (list(changes.files), list(changes.findings)) == ([], [])


def test_edits_that_cannot_apply_have_findings() -> None:
    """The file is unchanged."""
    changes = changes_of(block(PATH, "nothing\n", "x\n"))
    assert not changes.files
    assert changes.findings


def test_many_files_are_counted_and_not_shown() -> None:
    """A page shows 20 of them."""
    changes = changes_of("\n".join(block(f"new{n}.py", "", "X = 1\n") for n in range(25)))
    assert (len(changes.files), changes.n_more) == (20, 5)


def test_prose_and_structured_answers_edit_no_files() -> None:
    """Nor does a call of a tool."""
    edits = conversation(EditForm.EDIT_BLOCKS, SHOWN)
    assert EditContext.of_request([message("user", "Why?")], {}) is None
    assert EditContext.of_request(edits, {"tools": [{}]}) is None
    assert EditContext.of_request(edits, {"response_format": {"type": "json_object"}}) is None


@pytest.mark.parametrize("path", ["deep.yaml", "deep.json", "deep.py", "deep.toml"])
@pytest.mark.parametrize(("start", "end"), [("[", "]"), ("{a: ", "}"), ("(", ")"), ("- ", "")])
def test_hostile_nesting_in_an_edited_file_is_shown(path: str, start: str, end: str) -> None:
    """A file nested 30,000 deep is a file like any other: it neither crashes nor stalls the page."""
    (file,) = changes_of(block(path, "", start * 30_000 + end * 30_000 + "\n")).files
    assert (file.path, file.kind, file.diff.n_added) == (path, "new", 1)
