"""Patches between *** marks, applied. The expected files are those that aider ends up with."""

import pytest

from synth.edits import EditForm, EditStatus, Workspace, apply_edits

FORM = EditForm.PATCH
QUEUE = """class Queue:
    def push(self, x):
        self.data.append(x)
        return self

class Stack:
    def push(self, x):
        self.data.append(x)
        return self
"""
FILES = Workspace({"queue.py": QUEUE, "old.txt": "one\ntwo\n"}, {"LICENSE": "Free.\n"})
INSERT = ("-        self.data.append(x)", "+        self.data.insert(0, x)")


def patch(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch", ""])


def update(*lines: str, path: str = "queue.py") -> str:
    return patch(f"*** Update File: {path}", *lines)


@pytest.mark.parametrize(
    "text",
    [
        update("@@", "     def push(self, x):", *INSERT, "         return self"),
        update(*INSERT),
        update("@@ class Queue:", "@@ def push(self, x):", *INSERT),
        update("@@", "     def push(self, x):  ", *INSERT),
        update("@@", " def push(self, x):", *INSERT),
        update("@@", *INSERT, path="./queue.py") + "\nThat was it.",
        update("@@", *INSERT).replace("\n", "\r\n"),
    ],
)
def test_a_section_is_found_with_some_fuzz(text: str) -> None:
    """The first place counts where the expected lines are, but for white space."""
    result = apply_edits(FORM, FILES, text)
    assert (result.status, result.findings) == (EditStatus.SOUND, ())
    assert result.files["queue.py"] == QUEUE.replace("append(x)", "insert(0, x)", 1)


def test_scopes_and_order_tell_places_apart() -> None:
    """A section is looked for below its scopes, and below the section before."""
    head, tail = QUEUE.split("class Stack")
    changed = f"{head}class Stack{tail.replace('append(x)', 'insert(0, x)')}"
    assert (
        apply_edits(FORM, FILES, update("@@ class Stack:", "     def push(self, x):", *INSERT)).files["queue.py"]
        == changed
    )
    both = apply_edits(FORM, FILES, update("@@", *INSERT, "@@", *INSERT))
    assert both.files["queue.py"] == QUEUE.replace("append(x)", "insert(0, x)")
    assert [hunk.region for hunk in both.hunks] == [(2, 3), (7, 8)]


def test_the_end_of_a_file_is_a_place() -> None:
    """The last of several places, or the very end if no lines are expected."""
    text = update("@@", "         return self", "+", "+# end", "*** End of File")
    assert apply_edits(FORM, FILES, text).files["queue.py"] == f"{QUEUE}\n# end\n"
    text = update("@@", "+three", "*** End of File", path="old.txt")
    assert apply_edits(FORM, FILES, text).files["old.txt"] == "one\ntwo\nthree\n"


def test_files_are_added_deleted_and_moved() -> None:
    """A moved file may be changed as well."""
    text = patch("*** Add File: new.py", "+x = 1", "+", "+y = 2", "*** Delete File: old.txt")
    assert apply_edits(FORM, FILES, text).files == {"queue.py": QUEUE, "new.py": "x = 1\n\ny = 2\n"}
    moved = apply_edits(FORM, FILES, update("*** Move to: new.txt", "@@", "-one", "+1", path="old.txt"))
    assert moved.files == {"queue.py": QUEUE, "new.txt": "1\ntwo\n"}
    assert [hunk.region for hunk in moved.hunks] == [None]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (update("@@", "-gone", "+x"), "the lines of a section were not found in queue.py"),
        (update("@@ class Heap:", *INSERT), "the lines of a section were not found in queue.py"),
        (update(*INSERT, path="heap.py"), "heap.py was not shown"),
        (update("-Free.", path="LICENSE"), "LICENSE was shown read-only"),
        (patch("*** Delete File: heap.py"), "heap.py was not shown"),
        (patch("*** Add File: old.txt", "+x"), "old.txt is to be added, but exists"),
        (patch("*** Add File: a.txt", "+x", "*** Add File: a.txt", "+y"), "the patch does two things to a.txt"),
        (patch("*** Add File: a.txt", "x"), "line 3 of the patch lacks its +: 'x'"),
        (patch("*** Update File: "), "line 2 of the patch names no file"),
        (update("*** Move to: ", *INSERT), "line 3 of the patch names no file"),
        (update("@@"), "an empty section ends at line 3 of the patch"),
        (update("x = 1"), "line 3 of the patch has no sign: 'x = 1'"),
        (update(" class Queue:", "*** What File: x"), "line 4 of the patch is no marker: '*** What File: x'"),
        ("Here:\n" + update(*INSERT), "line 1 belongs to no file of the patch: 'Here:'"),
        (f"```\n{update(*INSERT)}```", "line 1 belongs to no file of the patch: '```'"),
        (update(*INSERT).removesuffix("*** End Patch\n"), "truncated: the patch has no *** End Patch"),
        (
            update("@@", *INSERT, "*** Update File: queue.py", "@@", *INSERT),
            "the patch changes the same lines of queue.py",
        ),
        (update("-class Queue:", "+class Queue("), "queue.py: python does not parse: line 1"),
    ],
)
def test_findings_are_concrete(text: str, finding: str) -> None:
    """They name the line of the patch, or the file."""
    result = apply_edits(FORM, FILES, text)
    assert result.status is EditStatus.BROKEN
    assert result.findings[0].startswith(finding)


def test_a_patch_is_taken_as_a_whole() -> None:
    """A part that does not apply leaves all files as they were; the hunks are still there to choose from."""
    result = apply_edits(FORM, FILES, update("@@", *INSERT, "@@", "-gone"))
    assert result.files == FILES.files
    assert [hunk.region for hunk in result.hunks] == [(2, 3), None]


@pytest.mark.parametrize("text", ["", "Which queue?", "The marks are\n*** Begin Patch", patch()])
def test_an_answer_without_edits_is_no_error(text: str) -> None:
    """It may ask."""
    assert apply_edits(FORM, FILES, text).status is EditStatus.NONE
