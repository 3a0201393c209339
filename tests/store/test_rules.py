"""The rules of days, budgets, buckets and decay."""

import pytest

from store.rules import DAY_S, EMPTY, Bucket, Period, add_decayed, check_limit, fill, is_running, turn_day
from store.store import LONGEST_LEASE_S, Amount, Limit

NOON = 100 * DAY_S + DAY_S / 2


@pytest.mark.parametrize(
    ("period", "day", "now", "expected"),
    [
        (None, 100, NOON, Period(100, NOON)),
        (Period(100, NOON), 100, NOON + 60, Period(100, NOON)),
        (Period(100, NOON), 101, NOON + DAY_S, Period(101, NOON + DAY_S)),
        (Period(100, NOON), 99, NOON - 60, Period(100, NOON)),
        (Period(500, NOON + 400 * DAY_S), 100, NOON, Period(500, NOON)),
        (Period(500, NOON), 100, NOON + DAY_S - 1, Period(500, NOON)),
        (Period(500, NOON), 101, NOON + DAY_S, Period(101, NOON + DAY_S)),
    ],
)
def test_a_day_never_comes_back_and_lasts_at_most_24_hours(
    period: Period | None, day: int, now: float, expected: Period
) -> None:
    """Also after a process whose clock ran ahead by 400 days."""
    assert turn_day(period, day, now) == expected


@pytest.mark.parametrize(
    ("limit", "used", "expected", "lacking"),
    [
        (Limit("a"), Amount(9, 9), Amount(9, 9), None),
        (Limit("a", cost=5), Amount(9, 3), Amount(9, 2), None),
        (Limit("a", cost=5), Amount(0, 3), Amount(0, 3), "cost"),
        (Limit("a", cost=5), Amount(0, 5), Amount(0, 0), "cost"),
        (Limit("a", tokens=5), Amount(5, 0), Amount(0, 0), "tokens"),
        (Limit("a", tokens=5, cost=5), Amount(5, 5), Amount(0, 0), "cost"),
    ],
)
def test_a_limit_allows_exactly_its_amount(limit: Limit, used: Amount, expected: Amount, lacking: str | None) -> None:
    """Exactly the limit is allowed; once it is used up, even a free request is refused."""
    assert check_limit(limit, used, expected) == lacking


def test_a_bucket_that_was_filled_in_the_future_is_empty() -> None:
    """A clock that was set back blocks no request; one that jitters admits none twice."""
    full = fill(fill(EMPTY, 2, 1000.0)[0], 2, 1000.0)[0]
    assert fill(full, 2, 1000.0) == (full, 30.0)
    assert fill(full, 2, 995.0) == (full, 30.0)
    assert fill(full, 2, 900.0) == (Bucket(1.0, 900.0), 0.0)


def test_a_reservation_that_seems_to_last_too_long_has_ended() -> None:
    """It was made by a clock that ran ahead."""
    assert is_running(101.0, 100.0)
    assert not is_running(100.0, 100.0)
    assert not is_running(101.0 + LONGEST_LEASE_S, 100.0)


def test_a_weight_halves_and_stays_positive() -> None:
    """Time that runs backwards adds nothing."""
    assert add_decayed(4.0, 20.0, 10.0, 1.0) == 2.0
    assert add_decayed(4.0, -20.0, 10.0, 1.0) == 5.0
    assert add_decayed(1.0, 0.0, 10.0, -2.0) == 0.0
