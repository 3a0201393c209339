"""Backoff, Retry-After and the retry budget."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from tests.upstream.clocks import Clock
from upstream import retry_policy
from upstream.retry_policy import FLOOR, SHARE, WINDOW_S, RetryBudget

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
def test_the_pause_is_never_shorter_than_retry_after(attempt: int, random: float, asked: float) -> None:
    """The jitter comes on top."""
    assert retry_policy.pause_s(attempt, asked, lambda: random) >= asked


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": " 3s"}, 3.0),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
        ({"Retry-After": format_datetime(NOW + timedelta(seconds=30), usegmt=True)}, 30.0),
        ({"Retry-After": format_datetime(NOW - timedelta(seconds=30), usegmt=True)}, 0.0),
        ({"Retry-After": "Thu, 01 Jan 2026 12:00:05 -0000"}, 5.0),
        ({"Retry-After": "Thursday, 01-Jan-26 12:00:05 GMT"}, 5.0),
        ({"Retry-After": "Thu Jan  1 12:00:05 2026"}, 5.0),
        ({"Retry-After": "2026-01-01T12:00:05Z"}, 5.0),
        ({"Retry-After": "2026-01-01T13:00:05.500+01:00"}, 5.5),
        ({"Retry-After": "1m30.5s"}, 90.5),
        ({"Retry-After": "500 ms"}, 0.5),
        ({"Retry-After": "2 minutes"}, 120.0),
        ({"Retry-After": f"{NOW.timestamp() + 30:.0f}"}, 30.0),
        ({"Retry-After": f"{NOW.timestamp() * 1000 + 30_000:.0f}"}, 30.0),
        ({"Retry-After": "1e400"}, None),
        ({"Retry-After": "9" * 5_000}, None),
        ({"Retry-After": "1s " * 5_000}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], expected: float | None) -> None:
    """Seconds, milliseconds, an HTTP date; an invalid value is ignored."""
    assert retry_policy.retry_after_s(headers, now=lambda: NOW) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"x-ratelimit-reset-requests": "2m59.56s"}, 179.56),
        ({"x-ratelimit-reset-tokens": "6ms"}, 0.006),
        ({"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "1s"}, None),
        (
            {
                "x-ratelimit-remaining-requests": "9",
                "x-ratelimit-reset-requests": "8h",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "7.66s",
            },
            7.66,
        ),
        ({"anthropic-ratelimit-requests-reset": "2026-01-01T12:00:20Z"}, 20.0),
        (
            {
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2026-01-01T12:00:20Z",
                "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-requests-reset": "2026-01-01T12:00:50Z",
            },
            20.0,
        ),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW.timestamp() + 9:.0f}"}, 9.0),
        ({"X-RateLimit-Reset": f"{NOW.timestamp() * 1000 + 9_000:.0f}"}, 9.0),
        ({"X-RateLimit-Reset": f"{NOW.timestamp() - 9:.0f}"}, None),
        ({"X-RateLimit-Reset-After": "1.25"}, 1.25),
        ({"x-rate-limit-reset": "12"}, 12.0),
        ({"RateLimit-Reset": "5"}, 5.0),
        ({"RateLimit": "limit=10, remaining=0, reset=5"}, 5.0),
        ({"RateLimit": "limit=10, remaining=3, reset=5"}, None),
        ({"RateLimit": '"default";r=0;t=5'}, 5.0),
        ({"RateLimit": '"default";r=50;t=30'}, None),
        ({"RateLimit-Policy": '"default";q=100;w=60'}, None),
        ({"x-ratelimit-reset-requests": "soon"}, None),
        ({"x-ratelimit-limit-requests": "60"}, None),
    ],
)
def test_a_reset_of_rate_limits_is_read_in_all_its_forms(headers: dict[str, str], expected: float | None) -> None:
    """Durations, Unix times, dates and lists, of the limits that are used up."""
    found = retry_policy.reset_after_s(CIMultiDict(headers), now=lambda: NOW)
    assert found == (None if expected is None else pytest.approx(expected))


STEPS = st.lists(
    st.tuples(st.sampled_from(["call", "a", "b"]), st.sampled_from([0.0, 0.1, 1.0, 4.0])),
    max_size=200,
)


@given(STEPS)
def test_retries_stay_within_the_share_or_the_model_s_floor(steps: list[tuple[str, float]]) -> None:
    """In any order of calls and retries: 20 % of the window's calls together, or three for the model itself."""
    clock = Clock()
    budget = RetryBudget(clock)
    calls: list[float] = []
    spent: list[tuple[float, str]] = []
    for step, pause_s in steps:
        clock.now += pause_s
        n_calls = sum(instant > clock.now - WINDOW_S for instant in calls)
        recent = [spender for instant, spender in spent if instant > clock.now - WINDOW_S]
        if step == "call":
            budget.count_call()
            calls.append(clock.now)
            continue
        is_allowed = recent.count(step) < FLOOR or len(recent) + 1 <= SHARE * n_calls
        assert budget.spend(step) == is_allowed
        if is_allowed:
            spent.append((clock.now, step))


@given(st.integers(min_value=0, max_value=300))
def test_the_budget_is_a_fifth_of_the_calls(n_calls: int) -> None:
    """Rounded down, and at least three."""
    budget = RetryBudget(Clock())
    for _ in range(n_calls):
        budget.count_call()
    assert sum(budget.spend("a") for _ in range(n_calls + 10)) == max(3, n_calls // 5)


def test_models_behind_one_key_do_not_starve_each_other() -> None:
    """Each has a floor of its own."""
    budget = RetryBudget(Clock())
    spent = [[budget.spend(model) for _ in range(4)] for model in ("a", "b", "c")]
    assert spent == [[True, True, True, False]] * 3


def test_a_spent_budget_is_full_again_after_the_window() -> None:
    """To the instant."""
    clock = Clock()
    budget = RetryBudget(clock)
    assert [budget.spend("a") for _ in range(4)] == [True, True, True, False]
    clock.now += WINDOW_S - 0.001
    assert not budget.spend("a")
    clock.now += 0.001
    assert budget.spend("a")
