"""Patches, parsed."""

import pytest

from runtime.budget import Budget
from synth.edits.hunks import MalformedError
from synth.edits.patches.patch_syntax import Action, Patch, parse_patch


def parse(text: str) -> Patch:
    return parse_patch(text, Budget(100_000))


def test_a_patch_has_files_with_sections() -> None:
    """Each with the lines that it expects, and the changes among them."""
    text = (
        "*** Begin Patch\n*** Update File: a.py\n@@ class A:\n x\n-y\n+z\n*** End of File\n"
        "*** Add File: b.py\n+1\n*** Delete File: c.py\n*** End Patch"
    )
    update, add, delete = parse(text).files
    (section,) = update.sections
    assert (section.scopes, section.expected, section.changes) == (["class A:"], ["x", "y"], [(1, ["y"], ["z"])])
    assert section.at_end
    assert (add.action, add.content) == (Action.ADD, "1\n")
    assert (delete.action, delete.path) == (Action.DELETE, "c.py")


def test_an_answer_without_marks_has_no_patch() -> None:
    """It may be a question."""
    assert parse("Which file?") == Patch((), truncated=False)


def test_a_patch_without_its_end_is_truncated() -> None:
    """The files before are read."""
    assert parse("*** Begin Patch\n*** Delete File: a.py").truncated


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Sure!\n*** Update File: a.py\n", "line 1 belongs to no file"),
        ("*** Begin Patch\n*** Update File: \n", "names no file"),
        ("*** Begin Patch\n*** Add File: a.py\nx\n", "lacks its +"),
        ("*** Begin Patch\n*** Update File: a.py\nx\n", "has no sign"),
    ],
)
def test_one_malformed_line_spoils_the_patch(text: str, problem: str) -> None:
    """The tool applies none of it."""
    with pytest.raises(MalformedError, match=problem):
        parse(text)
