"""Rate limits of client keys, as one process sees them."""

import pytest

from config.settings import ApiKey, Secret
from handlers.errors import ApiError
from handlers.gate.rate_limit import RateLimits
from tests.upstream.clocks import Clock


def key(name: str, rate: int | None) -> ApiKey:
    return ApiKey(name, Secret("k", "K"), rate_per_minute=rate)


def test_a_burst_and_then_one_for_each_that_leaks_out() -> None:
    """Two requests a minute: two at once, the third is refused, and 30 s later one more is accepted."""
    clock, two = Clock(), key("two", 2)
    limits = RateLimits(clock)
    limits.take(two)
    limits.take(two)
    with pytest.raises(ApiError, match="rate limit of key two reached: 2 requests a minute") as refused:
        limits.take(two)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "30")
    clock.now += 31
    limits.take(two)


def test_keys_do_not_share_a_bucket() -> None:
    """A key without a rate is never refused, and another key's bucket is its own."""
    limits = RateLimits(Clock())
    limits.take(key("one", 1))
    limits.take(key("other", 1))
    for _ in range(100):
        limits.take(key("free", None))
