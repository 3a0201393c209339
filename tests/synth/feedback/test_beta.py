"""Beta distributions, against closed forms."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.feedback.beta import Beta, incomplete_beta, probability_above

COUNTS = st.integers(0, 3_000)


def log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def sum_exactly(one: Beta, other: Beta) -> float:
    """Return P(one > other) by the finite sum that holds for whole numbers (Evan Miller, 2015)."""
    a, b, c, d = int(one.a), int(one.b), int(other.a), int(other.b)
    return sum(
        math.exp(log_beta(c + i, b + d) - math.log(b + i) - log_beta(1 + i, b) - log_beta(c, d)) for i in range(a)
    )


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_the_probability_that_one_rate_is_higher(right: int, wrong: int, other_right: int, other_wrong: int) -> None:
    """The integral agrees with the exact sum to four digits, for any counts."""
    one, other = Beta(right, wrong), Beta(other_right, other_wrong)
    assert probability_above(one, other) == pytest.approx(sum_exactly(one, other), abs=1e-4)


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1e4))
def test_counts_may_be_fractions(right: float, wrong: float, other_right: float, other_wrong: float) -> None:
    """Decayed counts are fractions: the probabilities of both orders sum to one."""
    one, other = Beta(right, wrong), Beta(other_right, other_wrong)
    forth, back = probability_above(one, other), probability_above(other, one)
    assert 0 <= forth <= 1
    assert forth + back == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("x", "a", "b", "expected"), [(0.3, 1, 1, 0.3), (0.3, 2, 1, 0.09), (0.3, 1, 3, 1 - 0.7**3)])
def test_probabilities_agree_with_closed_forms(x: float, a: float, b: float, expected: float) -> None:
    """Where the incomplete beta function is a polynomial, it has the polynomial's value."""
    assert incomplete_beta(x, a, b) == pytest.approx(expected, abs=1e-12)
    assert (incomplete_beta(0, a, b), incomplete_beta(1, a, b)) == (0, 1)


def test_an_interval_has_its_mass_and_shrinks_with_the_counts() -> None:
    """The interval has the mass that was asked for, and shrinks with the counts."""
    rate = Beta(8, 2)
    low, high = rate.interval(0.9)
    assert incomplete_beta(high, rate.a, rate.b) - incomplete_beta(low, rate.a, rate.b) == pytest.approx(0.9)
    narrow = Beta(80, 20).interval(0.9)
    assert low < narrow[0] < narrow[1] < high
    assert Beta().interval(0.9) == pytest.approx((0.05, 0.95))


def test_a_negative_count_is_taken_as_zero() -> None:
    """A revision may leave a little less than nothing after decay."""
    assert Beta(-0.5, 3).a == 1
