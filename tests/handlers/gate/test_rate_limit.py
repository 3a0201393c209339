"""Rate limits of client keys, on the loop's clock."""

import asyncio

import pytest

from config.settings import ApiKey, Secret
from handlers.errors import ApiError
from handlers.gate.rate_limit import RateLimits
from tests.upstream.clocks import in_no_time


def key(name: str, rate: int | None) -> ApiKey:
    return ApiKey(name, Secret("k", "K"), rate_per_minute=rate)


def test_a_burst_and_then_one_for_each_that_leaks_out() -> None:
    """Two requests a minute: two at once, the third is refused, and 30 s later one more is accepted."""

    async def play() -> None:
        limits, two = RateLimits(), key("two", 2)
        await limits.take(two)
        await limits.take(two)
        with pytest.raises(ApiError, match="rate limit of key two reached: 2 requests a minute") as refused:
            await limits.take(two)
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "30")
        await asyncio.sleep(31)
        await limits.take(two)

    in_no_time(play())


def test_keys_do_not_share_a_bucket() -> None:
    """A key without a rate is never refused, and another key's bucket is its own."""

    async def play() -> None:
        limits = RateLimits()
        await limits.take(key("one", 1))
        await limits.take(key("other", 1))
        for _ in range(100):
            await limits.take(key("free", None))

    in_no_time(play())
