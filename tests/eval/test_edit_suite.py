"""The edit suite asks for what can be done, and can tell whether it was done."""

import pytest

from eval.edit_suite import Edit, edits, items, messages
from runtime.sandbox import programs
from runtime.sandbox.programs import Verdict
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


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_the_gateway_recognises_the_form(edit: Edit) -> None:
    """The conversation is one of edit blocks, and its workspace is the edit's files."""
    contract = derive_contract(ChatRequest(None, messages(edit), {}))
    assert contract.edits is EditForm.EDIT_BLOCKS
    assert dict(contract.workspace.files) == dict(edit.files)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_answer_is_applied(edit: Edit) -> None:
    """The reference solution, written as blocks, comes to the solved files; words come to nothing."""
    item = next(item for item in items() if item.name == edit.name)
    assert item.program(blocks(edit)) == edit.tested(edit.solved())
    assert item.program("I would rather not.") is None
