"""Every item of the edit suite can be solved, and its test recognises a solution."""

import pytest

from eval.edit_suite import Edit, edits, items, make_shown_test, messages, whole_items
from runtime.sandbox import programs
from runtime.sandbox.programs import Program, Verdict
from synth.contract.contract import derive_contract
from synth.edits import EditForm
from synth.request import ChatRequest

EDITS = edits()
PYTHON = "```python\n"


def blocks(edit: Edit) -> str:
    """Return the reference solution as a model would write it: whole files replaced."""
    solved = edit.solved()
    changed = [path for path in solved if solved[path] != edit.files.get(path)]
    return "\n".join(
        f"{path}\n{PYTHON}<<<<<<< SEARCH\n{edit.files.get(path, '')}=======\n{solved[path]}>>>>>>> REPLACE\n```\n"
        for path in changed
    )


def test_there_are_enough_and_each_has_its_name() -> None:
    assert len(EDITS) >= 40
    assert len({edit.name for edit in EDITS}) == len(EDITS)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_the_test_tells_before_from_after(edit: Edit) -> None:
    """Every test fails on the files as they are, and passes with the reference solution in them."""
    assert programs.run(edit.tested(edit.files)) is Verdict.FAILED
    assert programs.run(edit.tested(edit.solved())) is Verdict.PASSED


FORMS = [EditForm.EDIT_BLOCKS, EditForm.WHOLE_FILE]


def listings(edit: Edit) -> str:
    """Return the reference solution as whole files."""
    solved = edit.solved()
    changed = [path for path in solved if solved[path] != edit.files.get(path)]
    return "\n\n".join(f"{path}\n```\n{solved[path]}```" for path in changed)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_the_gateway_recognises_the_form(edit: Edit, form: EditForm) -> None:
    """The conversation asks for this form, and its workspace is the edit's files, with or without a test."""
    for test in (None, "def test_shown():\n    pass\n"):
        contract = derive_contract(ChatRequest(None, messages(edit, form, test), {}))
        assert contract.edits is form
        assert dict(contract.workspace.files) == dict(edit.files)
        assert list(contract.workspace.read_only) == ([] if test is None else ["test_shown.py"])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_answer_is_applied(edit: Edit, form: EditForm) -> None:
    """The reference solution comes to the solved files; words come to nothing."""
    item = next(item for item in items(form) if item.name == edit.name)
    written = blocks(edit) if form is EditForm.EDIT_BLOCKS else listings(edit)
    assert item.program(written) == edit.tested(edit.solved())
    assert item.program("I would rather not.") is None


SHOWING = [edit for edit in EDITS if make_shown_test(edit) is not None]


@pytest.mark.parametrize("edit", SHOWING, ids=lambda edit: edit.name)
def test_a_shown_test_is_a_part_of_the_hidden_one(edit: Edit) -> None:
    """It passes with the reference solution, as a program and as a test function, and has fewer asserts."""
    test = make_shown_test(edit)
    assert test is not None
    assert 0 < test.count("assert ") < edit.test.count("assert ")
    assert programs.run(Program({**edit.solved(), "test_shown.py": test}, "test_shown.py")) is Verdict.PASSED


def test_about_half_of_the_items_show_a_test() -> None:
    """Those have a command for a checker, and the test among their files."""
    shown = [item for item in items() if item.check]
    assert 15 <= len(shown) <= len(EDITS) // 2
    assert all("test_shown.py" in item.files for item in shown)
    assert [item.name for item in whole_items()] == [item.name for item in items()]
