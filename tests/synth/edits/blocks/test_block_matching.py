"""The lines that an edit block searches for."""

import pytest

from runtime.budget import Budget, BudgetExceededError
from synth.edits.blocks.block_matching import replace_lines, unwrap
from synth.edits.fences import FENCES
from tests.work_limit import limit_work

STEPS = 1_000_000


@pytest.mark.parametrize(
    ("whole", "search", "replace", "expected"),
    [
        ("a\nb\na\n", "a\n", "c\n", "c\nb\na\n"),
        ("a\nb", "b", "c", "a\nc\n"),
        ("  a\n    b\n", "a\n  b\n", "a\n  c\n", "  a\n    c\n"),
        ("\ta\n\tb\n", "a\nb\n", "a\n\n", "\ta\n\n"),
        ("  a\n b\n", "a\nb\n", "c\n", None),
        ("  a\n  b\n", "      a\n      b\n", "      c\n", "  c\n"),
        ("a\nb\n", "\na\nb\n", "c\n", "c\n"),
        ("a\nx\ny\nb\n", "a\n\n  ...\nb\n", "c\n\n  ...\nd\n", "c\nx\ny\nd\n"),
        ("a\nx\nb\n", "a\n...\nb\n", "c\n\n...\nd\n", None),
        ("a\na\nb\n", "a\n...\nb\n", "c\n...\nd\n", None),
        ("a\n", "a\n...\n", "c\n...\nd\n", "c\nd\n"),
        ("a\n", "", "c\n", None),
        ("a\n", "a\n", "", None),
    ],
)
def test_lines_are_found_as_leniently_as_by_the_tool(
    whole: str, search: str, replace: str, expected: str | None
) -> None:
    """The first exact match; one extra indentation; no blank first line; pieces between dots, each unique."""
    assert replace_lines(whole, search, replace, Budget(STEPS)) == expected


@pytest.mark.parametrize(
    ("whole", "search"),
    [
        ("\n" * 20_000, "\n" * 10_000 + "x\n"),
        ("\n" * 20_000, "\n" * 10_000 + "x\n...\n"),
        ("a\n" * 20_000, "a\n" * 10_000 + "b\n"),
        ("a = 1\n", "\n" * 60_000 + "x\n...\n"),
    ],
)
def test_repeated_lines_take_linear_time(whole: str, search: str) -> None:
    """A search that nearly matches everywhere takes steps for each line, not for each pair of lines."""
    with limit_work(max_cpu_s=2.0):
        assert replace_lines(whole, search, "y\n", Budget(STEPS)) is None


def test_a_search_that_matches_everywhere_but_for_its_indentation_ends() -> None:
    """The lines without indentation match at each position, and none has the same indentation throughout."""
    with pytest.raises(BudgetExceededError):
        replace_lines("a\n a\n" * 10_000, " a\n" * 5_000, "y\n", Budget(STEPS))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("x\n", "x\n"),
        ("src/a.py\nx\n", "x\n"),
        ("a.py\n```\nx\n```\n", "x\n"),
        ("```\nx\n", "```\nx\n"),
        ("a.py\n", None),
    ],
)
def test_a_file_name_and_a_fence_inside_a_block_do_not_count(text: str, expected: str | None) -> None:
    """Models repeat them there."""
    assert unwrap(text, "src/a.py", FENCES[0]) == expected
