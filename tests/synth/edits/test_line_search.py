"""Finding a sequence of lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.budget import Budget, BudgetExceededError
from synth.edits.line_search import find_sequence, find_sequences

_LINES = st.lists(st.sampled_from(["a\n", "b\n", "\n", "\0"]), max_size=30)


@given(_LINES, st.lists(st.sampled_from(["a\n", "b\n", "\n"]), max_size=4))
def test_all_positions_are_found(lines: list[str], wanted: list[str]) -> None:
    """As by comparing slices."""
    starts = range(len(lines) - len(wanted) + 1) if wanted else ()
    expected = [start for start in starts if lines[start : start + len(wanted)] == wanted]
    assert list(find_sequences(lines, wanted, Budget(10_000))) == expected


def test_the_steps_grow_with_the_lines_and_not_with_their_product() -> None:
    """A file of equal lines, and a sequence of them that ends otherwise: the worst case for slices."""
    assert find_sequence(["\n"] * 50_000, ["\n"] * 25_000 + ["x\n"], Budget(100_000)) is None


def test_each_further_position_costs_steps() -> None:
    """So that a caller that refuses every position ends."""
    with pytest.raises(BudgetExceededError):
        list(find_sequences(["\n"] * 2_000, ["\n"] * 1_000, Budget(500_000)))
