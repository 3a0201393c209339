"""difflib's matcher within a budget."""

from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.budget import Budget, BudgetExceededError
from synth.edits.bounded_matcher import BoundedMatcher

_WORDS = st.lists(st.sampled_from("abc"), max_size=20)


@given(_WORDS, _WORDS, st.booleans())
def test_it_finds_the_same_matches_as_difflib(one: list[str], other: list[str], autojunk: bool) -> None:
    """The tool in front of the gateway uses difflib."""
    bounded = BoundedMatcher(one, other, Budget(100_000), autojunk=autojunk)
    assert bounded.get_opcodes() == SequenceMatcher(None, one, other, autojunk).get_opcodes()
    assert bounded.ratio() == SequenceMatcher(None, one, other, autojunk).ratio()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["a"] * 5_000, ["a"] * 5_000),
        ([str(n % 50) for n in range(5_000)], [str(n % 47) for n in range(5_000)]),
        ([str(n) for n in range(5_000)], [each for n in range(5_000) for each in (str(n), "x")]),
    ],
)
def test_quadratic_comparisons_end(one: list[str], other: list[str]) -> None:
    """Few distinct elements, and many short matches."""
    with pytest.raises(BudgetExceededError):
        BoundedMatcher(one, other, Budget(1_000_000), autojunk=False).get_matching_blocks()
