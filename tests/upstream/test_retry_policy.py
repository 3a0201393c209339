"""When to try again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstream import retry_policy

ATTEMPTS = st.integers(min_value=0, max_value=10_000)
RANDOM = st.floats(min_value=0, max_value=1, exclude_max=True)
NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@given(ATTEMPTS, RANDOM)
def test_the_pause_stays_between_zero_and_the_doubling_ceiling(attempt: int, random: float) -> None:
    """Full jitter: uniform from zero to base * 2^attempt, capped."""
    pause = retry_policy.jittered_s(attempt, lambda: random)
    assert 0 <= pause <= min(retry_policy.CAP_S, retry_policy.BASE_S * 2 ** min(attempt, 60))
    assert pause == pytest.approx(random * min(retry_policy.CAP_S, retry_policy.BASE_S * 2 ** min(attempt, 60)))


@given(ATTEMPTS, RANDOM, st.floats(min_value=0, max_value=1e6))
def test_the_pause_is_never_shorter_than_what_the_upstream_asked(attempt: int, random: float, asked: float) -> None:
    """Retry-After is a lower bound."""
    assert retry_policy.pause_s(attempt, asked, lambda: random) >= asked


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
        ({"Retry-After": format_datetime(NOW + timedelta(seconds=30), usegmt=True)}, 30.0),
        ({"Retry-After": format_datetime(NOW - timedelta(seconds=30), usegmt=True)}, 0.0),
        ({"Retry-After": "Thu, 01 Jan 2026 12:00:05 -0000"}, 5.0),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], expected: float | None) -> None:
    """Seconds, milliseconds, an HTTP date; nonsense says nothing."""
    assert retry_policy.retry_after_s(headers, now=lambda: NOW) == expected
