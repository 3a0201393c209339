"""Retry policy: exponential backoff with full jitter, Retry-After, and the retry budget. Pure: the clock is given.

Full jitter: "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015). Retry budgets: Finagle and Envoy.
"""

import math
import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice

BASE_S = 0.5
CAP_S = 8.0
_MAX_CHARS = 60  # of a header that says when
_MAX_DRAFT_CHARS = 500
_MAX_HEADERS = 100
_FIRST_UNIX_S = 1e9  # seconds: no pause is so long, so a larger number is a Unix time
_FIRST_UNIX_MS = 1e11
_RESET = re.compile(r"\breset(?:-after)?(?:-\w+)*$")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|milli|d|h|m|s)", re.IGNORECASE)
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?\s*[a-z]+\s*)+", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "milli": 0.001, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


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

    Retry-After is seconds or an HTTP date (RFC 9110, section 10.2.3); a date in the past is 0. Some write a unit, an
    ISO date or a Unix time.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    return _read_instant(headers.get("Retry-After"), now)


def reset_after_s(headers: Mapping[str, str], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """Return the seconds until the rate limits of a 429 are reset, by its headers, or None without such headers.

    Every provider has names of its own: `x-ratelimit-reset-tokens: 1m30s`, `x-ratelimit-remaining-tokens: 0` (OpenAI),
    `anthropic-ratelimit-requests-reset` (an ISO date), `X-RateLimit-Reset` (a Unix time in seconds or milliseconds),
    `RateLimit: limit=10, remaining=0, reset=5` and `RateLimit: "x";r=0;t=5` (drafts of the IETF). A limit of which
    something remains is not the one that refuses. Of several that refuse, the last one to be reset counts.
    """
    resets: list[float] = []
    for name, value in islice(headers.items(), _MAX_HEADERS):
        lower = name.lower()
        if "ratelimit" not in lower and "rate-limit" not in lower:
            continue
        remaining = lower.replace("reset-after", "reset").replace("reset", "remaining")
        if _RESET.search(lower) and _number(headers.get(remaining)) in (None, 0.0):
            resets.append(_read_instant(value, now) or 0.0)
        elif lower == "ratelimit":
            resets += _list_draft_resets(value)
    return max((reset for reset in resets if reset > 0), default=None)


def _list_draft_resets(value: str) -> list[float]:
    """Return the resets of the limits that are used up: items with `r` and `t`, or one with `remaining` and `reset`."""
    items = value[:_MAX_DRAFT_CHARS].split(",") if ";" in value else [value[:_MAX_DRAFT_CHARS]]
    found: list[float] = []
    for item in items:
        remaining = re.search(r"\b(?:remaining|r)=(\d{1,9})", item)
        reset = re.search(r"\b(?:reset|t)=(\d{1,9})", item)
        if reset and (remaining is None or not int(remaining[1])):
            found.append(float(reset[1]))
    return found


def duration_s(text: str) -> float | None:
    """Return the seconds of a duration such as "1m30.5s", "500ms" or "2 minutes", or None if the text holds none."""
    parts = _PART.findall(text)
    return sum(float(number) * _SECONDS[unit.lower()] for number, unit in parts) if parts else None


def _read_instant(value: str | None, now: Callable[[], datetime]) -> float | None:
    """Return the seconds from now that a header means: a number, a duration, a Unix time, an HTTP date, an ISO date."""
    text = (value or "").strip()
    if not text or len(text) > _MAX_CHARS:
        return None
    number = _number(text)
    if number is not None:
        seconds = number / 1000 if number >= _FIRST_UNIX_MS else number
        return max(0.0, seconds - now().timestamp()) if seconds >= _FIRST_UNIX_S else seconds
    return duration_s(text) if _DURATION.fullmatch(text) else _seconds_until(text, now)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _seconds_until(date: str, now: Callable[[], datetime]) -> float | None:
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            instant = parse(date)
        except ValueError:
            continue
        if instant.tzinfo is None:  # "-0000": an HTTP date is always UTC
            instant = instant.replace(tzinfo=UTC)
        return max(0.0, (instant - now()).total_seconds())
    return None


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
