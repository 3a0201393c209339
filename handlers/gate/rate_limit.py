"""Rate limits of client keys within one process, checked before a body is read."""

import math
from collections.abc import Callable

from config.settings import ApiKey
from handlers.errors import ApiError
from store.rules import EMPTY, Bucket, fill
from store.store import Rate

# Two buckets for a key.
#
# The authoritative one is in the store, shared by all processes, and is checked together with the budgets when the
# request is known: one round trip. This one counts the requests of this process, and refuses the rest of a burst before
# any body is read and before the burst takes places in the queue. A request has to pass both.


class RateLimits:
    """A leaky bucket for each key with a `rate_per_minute`: a burst of that many, then one as each leaks out.

    `clock` counts seconds and cannot be set. A bucket survives reloads while its rate stays the same.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[Rate, Bucket] = {}

    def take(self, key: ApiKey) -> None:
        """Count one request. Raises ApiError (429) with Retry-After if the bucket is full."""
        if key.rate_per_minute is None:
            return
        rate = Rate(key.name, key.rate_per_minute)
        bucket, wait_s = fill(self._buckets.get(rate, EMPTY), rate.per_minute, self._clock())
        if wait_s:
            raise refuse_rate(rate, wait_s)
        self._buckets[rate] = bucket


def refuse_rate(rate: Rate, wait_s: float) -> ApiError:
    """Return the error for a request beyond a rate."""
    return ApiError(
        429,
        f"rate limit of key {rate.name} reached: {rate.per_minute} requests a minute (rate_per_minute)",
        code="rate_limit_exceeded",
        headers={"Retry-After": str(math.ceil(wait_s))},
    )
