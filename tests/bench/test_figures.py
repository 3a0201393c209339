"""Figures from samples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import compute_ratios, find_percentile, find_spread

SAMPLES = st.lists(st.floats(min_value=0, max_value=1e6), min_size=1)


def test_a_percentile_lies_between_its_neighbours() -> None:
    """Ranks are interpolated linearly, in whatever order the values come."""
    assert find_percentile([3, 1, 2], 0.5) == 2
    assert find_percentile([1, 2], 0.5) == 1.5
    assert find_percentile([0, 100], 0.99) == pytest.approx(99)
    assert find_percentile([7], 0.99) == 7


@given(SAMPLES, st.floats(min_value=0, max_value=1))
def test_a_percentile_is_within_the_samples(values: list[float], share: float) -> None:
    """No share gives less than the least or more than the most; 0 and 1 give these."""
    assert min(values) <= find_percentile(values, share) * (1 + 1e-9)
    assert find_percentile(values, share) <= max(values) * (1 + 1e-9)
    assert find_percentile(values, 0) == min(values)
    assert find_percentile(values, 1) == max(values)


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        find_percentile([], 0.5)


def test_ratios_are_computed_within_each_round() -> None:
    """A round that was slow for both subjects counts like any other."""
    assert compute_ratios([3, 30], [2, 20]) == [1.5, 1.5]
    assert compute_ratios([1], [0]) == [float("inf")]
    with pytest.raises(ValueError, match="zip"):
        compute_ratios([1, 2], [1])


def test_a_spread_is_the_median_and_the_extremes() -> None:
    found = find_spread([5, 1, 2])
    assert (found.median, found.low, found.high) == (2, 1, 5)
