"""The rules of every store: when a day turns, what a budget allows, how a bucket leaks, how a tally decays.

Pure. The store in memory and the one in SQLite call these functions; the scripts that run inside a Redis server
(store/redis_scripts.py) state the same in Lua.
"""

from typing import Literal

from runtime.frozen import frozen
from store.store import LONGEST_LEASE_S, Amount, Limit

DAY_S = 86_400.0
MAX_CLOCK_ERROR_S = 3_600.0
_PERIOD_S = 60.0
_ROUNDING = 1e-9

# How long a day lasts.
#
# Each process states its current day (store/calendar.py). The latest counts: a day never comes back, so a clock that
# is set back gives no new budget. But a process whose clock ran ahead by a year would leave budgets used up for a
# year. So a day also ends 24 hours after it began, by the clock of the process that uses the store now; if that clock
# is earlier than the beginning, the 24 hours begin anew.


@frozen
class Period:
    """The day in force, and when it began."""

    day: int
    began: float


def turn_day(period: Period | None, day: int, now: float) -> Period:
    """Return the period in force for a process that believes in this day and time. A new `day` has a new budget."""
    if period is None or day > period.day:
        return Period(day, now)
    if day < period.day:
        if now < period.began - MAX_CLOCK_ERROR_S:
            return Period(period.day, now)
        if now >= period.began + DAY_S:
            return Period(day, now)
    return period


def is_running(expires: float, now: float) -> bool:
    """Whether a reservation still counts."""
    return now < expires <= now + LONGEST_LEASE_S


def check_limit(limit: Limit, used: Amount, expected: Amount) -> Literal["cost", "tokens"] | None:
    """Return the limit that a request would exceed, or None if it may begin. `used` includes reservations."""
    if limit.cost is not None and (used.cost >= limit.cost or used.cost + expected.cost > limit.cost):
        return "cost"
    if limit.tokens is not None and (used.tokens >= limit.tokens or used.tokens + expected.tokens > limit.tokens):
        return "tokens"
    return None


@frozen
class Bucket:
    """How full a leaky bucket was, in requests, and when."""

    level: float
    at: float


EMPTY = Bucket(0.0, 0.0)


def fill(bucket: Bucket, per_minute: int, now: float) -> tuple[Bucket, float]:
    """Return the bucket with one more request, and 0; or as it was, and the seconds until there is room.

    A bucket that was last filled in the future is empty: the clock was set back.
    """
    elapsed_s = now - bucket.at
    level = 0.0 if elapsed_s < -_PERIOD_S else max(0.0, bucket.level - max(0.0, elapsed_s) * per_minute / _PERIOD_S)
    if level + 1.0 > per_minute + _ROUNDING:
        return bucket, (level + 1.0 - per_minute) * _PERIOD_S / per_minute
    return Bucket(level + 1.0, now), 0.0


def add_decayed(weight: float, elapsed_s: float, half_life_s: float, amount: float) -> float:
    """Return a weight after some time, with an amount added, which may be negative; at least 0."""
    kept = float(0.5 ** (max(0.0, elapsed_s) / half_life_s))
    return max(0.0, weight * kept + amount)
