"""difflib's SequenceMatcher with a budget: the same results, or BudgetExceededError. Pure."""

from collections.abc import Sequence
from difflib import Match, SequenceMatcher
from itertools import accumulate

from runtime.budget import Budget

_PAIRS_PER_STEP = 4  # comparing one pair of equal elements is a few bytecodes


class BoundedMatcher(SequenceMatcher[str]):
    """Compares two sequences of strings, or two strings, and spends the budget before each search for a longest match.

    difflib takes quadratic time for sequences of few distinct elements, and cubic time for some. The cost of one search
    is known beforehand: for each element of a range of `a`, how often that element occurs in `b`.
    """

    a: Sequence[str]  # difflib documents b2j, and its type stubs name neither
    b2j: dict[str, list[int]]

    def __init__(self, a: Sequence[str], b: Sequence[str], budget: Budget, *, autojunk: bool = True) -> None:
        budget.spend(len(a) + len(b))
        self._budget = budget
        super().__init__(None, a, b, autojunk)
        self._cost_before = list(accumulate((1 + len(self.b2j.get(each, ())) for each in a), initial=0))

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        """Return the longest match within the ranges, as difflib does."""
        end = len(self.a) if ahi is None else ahi
        self._budget.spend(1 + (self._cost_before[end] - self._cost_before[alo]) // _PAIRS_PER_STEP)
        return super().find_longest_match(alo, ahi, blo, bhi)
