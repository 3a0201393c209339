"""Hunks without line numbers, applied."""

import pytest

from runtime.budget import Budget, BudgetExceededError
from synth.edits.diffs.diff_matching import apply_hunk

FILE = "class Cart:\n    def total(self):\n        return sum(self.prices)\n\n    def clear(self):\n        pass\n"


def apply(*lines: str, content: str = FILE, steps: int = 1_000_000) -> str | None:
    return apply_hunk(content, [line + "\n" for line in lines], Budget(steps))


@pytest.mark.parametrize(
    "hunk",
    [
        (" def total(self):", "-    return sum(self.prices)", "+    return 0"),
        ("     def total(self):", "-        return sum(self.prices)", "+        return 0"),
        ("     def total(self):", "     # not there", "-        return sum(self.prices)", "+        return 0"),
        ("     def other(self):", "-        return sum(self.prices)", "+        return 0"),
    ],
)
def test_a_hunk_applies_as_leniently_as_by_the_tool(hunk: tuple[str, ...]) -> None:
    """With another indentation, with lines that the file lacks, with less context."""
    result = apply(*hunk)
    assert result is not None
    assert "return 0\n" in result
    assert "sum(self.prices)" not in result


def test_a_short_context_must_be_unique() -> None:
    """Fewer than ten characters say little about the place."""
    assert apply("-a", "+b", content="a\nx\na\n") is None
    assert apply("-a", "+b", content="a\nx\n") == "b\nx\n"


def test_a_hunk_for_other_lines_does_not_apply() -> None:
    """Nothing is changed then."""
    assert apply("-        nothing like this", "+        x") is None


@pytest.mark.parametrize(
    ("content", "hunk"),
    [
        ("a\n" * 20_000, [*[" a"] * 5_000, "-a", "+b", *[" a"] * 5_000, " z"]),
        ("".join(f"{n % 50}\n" for n in range(20_000)), [f" {n % 47}" for n in range(5_000)] + ["-x", "+y"]),
    ],
)
def test_repeated_lines_end_with_the_budget(content: str, hunk: list[str]) -> None:
    """Comparing them takes quadratic time, and each context is tried."""
    with pytest.raises(BudgetExceededError):
        apply(*hunk, content=content)


def test_indentation_that_adds_up_ends_with_the_budget() -> None:
    """Each replaced line indents all that follow: the result would grow with the square of the text."""
    content = "".join(" " * (n % 100) + "a\n" for n in range(5_000))
    with pytest.raises(BudgetExceededError):
        apply("-  a", "+" + " " * 500 + "a", content=content, steps=50_000)
