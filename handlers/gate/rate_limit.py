"""Rate limits for client keys."""

import math

from aiolimiter import AsyncLimiter

from config.settings import ApiKey
from handlers.errors import ApiError

_PERIOD_S = 60.0


class RateLimits:
    """A leaky bucket for each key with a `rate_per_minute`: a burst of that many, then one as each leaks out.

    A bucket survives reloads while its rate stays the same. Belongs to the event loop that it is used in.
    """

    def __init__(self) -> None:
        self._limiters: dict[tuple[str, int], AsyncLimiter] = {}

    async def take(self, key: ApiKey) -> None:
        """Count one request; ApiError (429) with Retry-After if the bucket is full. Never waits."""
        if key.rate_per_minute is None:
            return
        limiter = self._limiters.setdefault(
            (key.name, key.rate_per_minute), AsyncLimiter(key.rate_per_minute, _PERIOD_S)
        )
        if not limiter.has_capacity():
            raise ApiError(
                429,
                f"rate limit of key {key.name} reached: {key.rate_per_minute} requests a minute (rate_per_minute)",
                code="rate_limit_exceeded",
                headers={"Retry-After": str(math.ceil(_PERIOD_S / key.rate_per_minute))},
            )
        await limiter.acquire()
