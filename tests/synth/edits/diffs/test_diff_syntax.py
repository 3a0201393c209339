"""Unified diffs, parsed."""

from difflib import unified_diff

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.budget import Budget
from synth.edits.diffs.diff_syntax import diff_lines, parse_diffs, split_sides
from synth.edits.hunks import MalformedError

STEPS = 100_000
_LINES = st.lists(st.sampled_from(["a\n", "b\n", "\n"]), max_size=12)


def test_each_hunk_has_its_file() -> None:
    """A block may name several; a hunk without a name is for the file before."""
    text = "```diff\n--- a/x.py\n+++ b/x.py\n@@ ... @@\n-a\n+b\n@@ ... @@\n c\n+d\n\n--- y.py\n+++ y.py\n-e\n```\n"
    found = parse_diffs(text, Budget(STEPS))
    assert [(hunk.path, "".join(hunk.lines)) for hunk in found.hunks] == [
        ("x.py", "-a\n+b\n"),
        ("x.py", " c\n+d\n"),
        ("y.py", "-e\n"),
    ]
    assert not found.truncated


def test_a_diff_without_a_file_name_spoils_the_answer() -> None:
    """The tool applies none of it."""
    with pytest.raises(MalformedError):
        parse_diffs("```diff\n-a\n+b\n```\n", Budget(STEPS))


def test_a_fence_that_does_not_close_truncates() -> None:
    """The last line is lost."""
    assert parse_diffs("```diff\n--- x\n+++ x\n-a\n+b", Budget(STEPS)).truncated


@given(_LINES, _LINES)
def test_a_difference_is_difflib_s_with_all_of_the_context(before: list[str], after: list[str]) -> None:
    """It leads from the one to the other."""
    hunk = diff_lines(before, after, Budget(STEPS))
    assert hunk == list(unified_diff(before, after, n=100))[3:]
    assert not hunk or split_sides(hunk) == (before, after)
