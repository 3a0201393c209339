"""The statistics agree with known values, and have the properties that such statistics have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.statistics import bootstrap, mcnemar, percentile, wilson

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("passed", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662), (0, 0, 0.0, 1.0)],
)
def test_wilson_agrees_with_published_values(passed: int, n: int, low: float, high: float) -> None:
    """81 of 263 is the example of Newcombe 1998, table I."""
    assert wilson(passed, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_rate(counts: tuple[int, int]) -> None:
    """The interval lies in [0, 1], holds the rate, and mirrors with it."""
    passed, n = counts
    low, high = wilson(passed, n)
    assert 0 <= low <= passed / n <= high <= 1
    assert wilson(n - passed, n) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (6, 0, 0.03125), (8, 2, 0.109375), (3, 3, 1.0), (1, 9, 0.021484375)],
)
def test_mcnemar_agrees_with_values_by_hand(gained: int, lost: int, p: float) -> None:
    """Sums of binomial coefficients, done by hand; items on which both agree change nothing."""
    mine = [True] * gained + [False] * lost + [True, False]
    theirs = [False] * gained + [True] * lost + [True, False]
    assert mcnemar(mine, theirs) == pytest.approx(p)


@given(PAIRS)
def test_mcnemar_is_symmetric(pairs: list[tuple[bool, bool]]) -> None:
    mine, theirs = zip(*pairs, strict=True)
    assert 0 < mcnemar(mine, theirs) <= 1
    assert mcnemar(mine, theirs) == mcnemar(theirs, mine)
    assert mcnemar(mine, mine) == 1


@given(PAIRS, st.integers(0, 99))
def test_the_bootstrap_is_repeatable_and_mirrors(pairs: list[tuple[bool, bool]], seed: int) -> None:
    """One seed gives one interval, within what the items allow."""
    mine, theirs = zip(*pairs, strict=True)
    low, high = bootstrap(mine, theirs, seed=seed, draws=200)
    assert (low, high) == bootstrap(mine, theirs, seed=seed, draws=200)
    assert -1 <= low <= high <= 1
    assert bootstrap(mine, mine, seed=seed, draws=200) == (0, 0)


def test_the_bootstrap_comes_near_the_normal_interval() -> None:
    """200 items of which 60 are gained and 20 lost: 0.2 ± 1.96·√((0.4 - 0.04)/200)."""
    mine = [True] * 60 + [False] * 20 + [True] * 120
    theirs = [False] * 60 + [True] * 20 + [True] * 120
    assert bootstrap(mine, theirs, seed=7) == pytest.approx((0.2 - 0.083, 0.2 + 0.083), abs=0.015)
    assert bootstrap([], [], seed=7) == (0, 0)


def test_percentiles() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0, 2.0], 0.5) == 1.5
    assert percentile([1.0, 2.0, 3.0, 4.0, 5.0], 0.95) == pytest.approx(4.8)
    assert percentile([7.0], 0.95) == 7.0
    assert percentile([], 0.5) == 0.0
