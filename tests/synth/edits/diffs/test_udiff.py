"""Unified diffs without line numbers, applied. The expected files are those that aider ends up with."""

import pytest

from synth.edits import EditForm, EditStatus, Workspace, apply_edits

FORM = EditForm.UDIFF
TIMER = '''def start(clock):
    """Start."""
    clock.reset()
    clock.run()


def stop(clock):
    """Stop."""
    clock.halt()
    return clock.elapsed
'''
FILES = Workspace({"timer.py": TIMER, "notes.txt": "one\ntwo\n"}, {"LICENSE": "Free.\n"})


def diff(*lines: str, old: str = "timer.py", new: str = "timer.py") -> str:
    return "\n".join(["```diff", f"--- {old}", f"+++ {new}", *lines, "```", ""])


HALT = ("@@ ... @@", "-    clock.halt()", "+    clock.halt(now=True)")
HALTED = TIMER.replace("halt()", "halt(now=True)")


@pytest.mark.parametrize(
    "text",
    [
        diff(*HALT),
        "Here:\n\n" + diff(*HALT) + "\nDone.",
        diff(*HALT, old="a/timer.py", new="b/timer.py"),
        diff("@@ -7,3 +7,3 @@", ' """Stop."""', *HALT[1:], "     return clock.elapsed"),
        diff("@@ ... @@", "-clock.halt()", "+clock.halt(now=True)"),
        diff("@@ ... @@", "", *HALT[1:], ""),
        diff("@@ ... @@", " def halt():", *HALT[1:]),
        diff(*HALT, *HALT),
        diff("@@ ... @@", " def start(clock):", *HALT),
        "```diff\n--- notes.txt\n+++ notes.txt\n@@ ... @@\n one\n--- timer.py\n+++ timer.py\n"
        + "\n".join(HALT)
        + "\n```",
    ],
)
def test_a_hunk_is_found_with_some_fuzz(text: str) -> None:
    """Indentation, blank lines and context may differ; repeated or empty hunks are left out."""
    result = apply_edits(FORM, FILES, text)
    assert (result.status, result.findings) == (EditStatus.SOUND, ())
    assert result.files["timer.py"] == HALTED


def test_context_that_the_file_lacks_is_taken_as_new() -> None:
    """Models forget the signs of new lines; so it is where most of the expected lines are there."""
    text = diff("@@ ... @@", "     clock.rest()", *HALT[1:], "     return clock.elapsed")
    added = HALTED.replace("    clock.halt", "    clock.rest()\n    clock.halt")
    assert apply_edits(FORM, FILES, text).files["timer.py"] == added


def test_a_hunk_may_be_indented_by_less_than_its_place() -> None:
    """All of it by the same; what it adds is then indented like the rest."""
    nested = Workspace({"a.py": "class A:\n    class B:\n        def f(self):\n            return 1\n\nx = 1\n"})
    text = diff(
        "@@ ... @@", "     def f(self):", "-        return 1", "+        y = 2", "+        return y", new="a.py"
    )
    expected = "class A:\n    class B:\n        def f(self):\n            y = 2\n            return y\n\nx = 1\n"
    assert apply_edits(FORM, nested, text).files["a.py"] == expected


def test_files_are_made_and_gone_on_with() -> None:
    """By hunks that expect no lines."""
    result = apply_edits(FORM, FILES, diff("@@ ... @@", "+x = 1", old="/dev/null", new="b/new.py"))
    assert result.files["new.py"] == "x = 1\n"
    result = apply_edits(FORM, FILES, diff("@@ ... @@", "+three", old="notes.txt", new="notes.txt"))
    assert result.files["notes.txt"] == "one\ntwo\nthree\n"


def test_a_second_diff_may_leave_its_file_unsaid() -> None:
    """It is then for the same file."""
    text = diff(*HALT) + "\n```diff\n@@ ... @@\n-    clock.run()\n+    clock.go()\n```\n"
    assert apply_edits(FORM, FILES, text).files["timer.py"] == HALTED.replace("run", "go")


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (diff("@@ ... @@", "-    clock.explode()", "+    pass"), "the lines of a hunk were not found in timer.py"),
        (diff(*HALT, new="clock.py"), "clock.py was not shown"),
        (diff("@@ ... @@", "-Free.", "+Mine.", new="LICENSE"), "LICENSE was shown read-only"),
        (diff(*HALT).removesuffix("```\n"), "truncated: the last diff's fence does not close"),
        ("```diff\n-    clock.run()\n+    clock.go()\n```\n", "a diff does not begin with the names of its file"),
        (diff("@@ ... @@", "-    clock.halt()", "+    clock.halt("), "timer.py: python does not parse: line 9"),
        (diff("@@ ... @@", "-def stop(clock):", "-def start(clock):", "+pass"), "the lines of a hunk were not found"),
    ],
)
def test_findings_are_concrete(text: str, finding: str) -> None:
    """They name the file."""
    result = apply_edits(FORM, FILES, text)
    assert result.status is EditStatus.BROKEN
    assert result.findings[0].startswith(finding)


def test_a_little_text_that_occurs_often_is_no_place() -> None:
    """More of it is, and then every occurrence is meant."""
    twice = Workspace({"a.txt": "x\ny\nx\nlong enough\nlong enough\n"})
    lost = apply_edits(FORM, twice, diff("@@ ... @@", "-x", "+z", new="a.txt"))
    assert lost.findings == ("the lines of a hunk were not found in a.txt",)
    all_of_them = apply_edits(FORM, twice, diff("@@ ... @@", "-long enough", "+z", new="a.txt"))
    assert all_of_them.files["a.txt"] == "x\ny\nx\nz\nz\n"


@pytest.mark.parametrize("text", ["", "Which clock?", "```\n-a\n+b\n```", diff("@@ ... @@", " context alone")])
def test_an_answer_without_edits_is_no_error(text: str) -> None:
    """Nor is a hunk that changes nothing."""
    assert apply_edits(FORM, FILES, text).status is EditStatus.NONE
