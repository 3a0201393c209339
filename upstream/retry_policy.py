"""Retry policy: exponential backoff with full jitter, Retry-After, and the retry budget. Pure: the clock is given.

Full jitter: "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015). Retry budgets: Finagle and Envoy.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

BASE_S = 0.5
CAP_S = 8.0


def jittered_s(attempt: int, random: Callable[[], float]) -> float:
    """Return the pause in seconds after failed attempt number `attempt` (the first is 0).

    Uniform in [0, min(CAP_S, BASE_S * 2**attempt)); `random` yields floats in [0, 1).
    """
    ceiling = CAP_S if attempt >= math.log2(CAP_S / BASE_S) else BASE_S * 2**attempt
    return random() * ceiling


def pause_s(attempt: int, retry_after_s: float | None, random: Callable[[], float]) -> float:
    """Return the pause in seconds before the next attempt: never less than the upstream asked for.

    The jitter is added to a Retry-After, so that callers with the same one do not return together.
    """
    return jittered_s(attempt, random) + (retry_after_s or 0.0)


def retry_after_s(headers: Mapping[str, str], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """Return the seconds that `Retry-After` (or OpenAI's `retry-after-ms`) asks for, or None if absent or invalid.

    Retry-After is seconds or an HTTP date (RFC 9110, section 10.2.3); a date in the past is 0.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("Retry-After")
    if value is None:
        return None
    seconds = _number(value.strip().removesuffix("s"))  # some write the unit
    return seconds if seconds is not None else _seconds_until(value, now)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _seconds_until(http_date: str, now: Callable[[], datetime]) -> float | None:
    try:
        instant = parsedate_to_datetime(http_date)
    except ValueError:
        return None
    if instant.tzinfo is None:  # "-0000": an HTTP date is always UTC
        instant = instant.replace(tzinfo=UTC)
    return max(0.0, (instant - now()).total_seconds())


WINDOW_S = 10.0
SHARE = 0.2
FLOOR = 3


class RetryBudget:
    """Limits the retries and hedges of one upstream over a sliding window of WINDOW_S.

    They may be SHARE of the calls that began in the window. Below that, each model may have FLOOR of its own, so that
    several models behind one key do not starve each other when few calls are made. `clock` returns seconds and never
    goes back. Memory: one entry for each call and each retry in the window.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._calls: deque[float] = deque()
        self._spent: deque[tuple[float, str]] = deque()  # (when, by which model)

    def count_call(self) -> None:
        """Record a call whose first attempt begins now."""
        self._calls.append(self._clock())
        self._forget()

    def spend(self, model: str) -> bool:
        """Return whether a model may have one more retry or hedge now; if so it is counted."""
        self._forget()
        n_own = sum(spender == model for _, spender in self._spent)
        is_allowed = n_own < FLOOR or len(self._spent) < int(SHARE * len(self._calls))
        if is_allowed:
            self._spent.append((self._clock(), model))
        return is_allowed

    def _forget(self) -> None:
        horizon = self._clock() - WINDOW_S
        while self._calls and self._calls[0] <= horizon:
            self._calls.popleft()
        while self._spent and self._spent[0][0] <= horizon:
            self._spent.popleft()
