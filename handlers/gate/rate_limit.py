"""How often each client may ask."""

import math

from aiolimiter import AsyncLimiter

from config.settings import ApiKey
from handlers.errors import ApiError

_PERIOD_S = 60.0


class RateLimits:
    """A leaky bucket for each key that has a `rate_per_minute`: that many at once, and then one for each that leaks.

    A bucket is kept over reloads for as long as its rate stays. Belongs to the loop that it is used in.
    """

    def __init__(self) -> None:
        self._limiters: dict[tuple[str, int], AsyncLimiter] = {}

    async def take(self, key: ApiKey) -> None:
        """Count one request; ApiError (429) with Retry-After where the bucket is full. Never waits."""
        if key.rate_per_minute is None:
            return
        limiter = self._limiters.setdefault(
            (key.name, key.rate_per_minute), AsyncLimiter(key.rate_per_minute, _PERIOD_S)
        )
        if not limiter.has_capacity():
            raise ApiError(
                429,
                f"the key {key.name} may ask {key.rate_per_minute} times a minute",
                code="rate_limit_exceeded",
                headers={"Retry-After": str(math.ceil(_PERIOD_S / key.rate_per_minute))},
            )
        await limiter.acquire()
