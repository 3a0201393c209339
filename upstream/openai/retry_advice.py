"""Retry advice in error replies: the delay, or that no retry will help. Pure."""

import re
from collections.abc import Collection
from typing import Any

from upstream.retry_policy import duration_s

_NO_QUOTA = re.compile(
    r"insufficient[ _](?:account[ _])?(?:quota|balance|credits?|funds)"
    r"|exceeded your current quota"
    r"|quota (?:is |has been )?(?:used up|exhausted)"
    r"|(?:balance|credits?|funds) (?:is |are |has been |have been )?(?:insufficient|exhausted|depleted|used up)"
    r"|billing[ _](?:hard[ _]limit|not[ _]active)|payment[ _]required|spend(?:ing)? limit"
    r"|out of credits|(?:no|not enough) (?:more |remaining )?credits|credit balance is too low"
    r"|used all (?:of your )?(?:available )?credits"
    r"|over (?:its |the |your )?budget|budget has been exceeded|exceeded ?budget"  # litellm
    r"|(?:trial|subscription) (?:is over|(?:has )?(?:ended|expired))"
    r"|check your plan and billing|account is (?:suspended|in arrears)|余额不足|欠费",
    re.IGNORECASE,
)
_NO_QUOTA_CODE = re.compile(
    r"insufficient_(?:quota|balance|credits?|funds)|exceeded_current_quota|billing_|arrearage|credit_limit",
    re.IGNORECASE,
)

_DELAY_FIELDS = ("retryDelay", "retry_delay", "retry_after", "retryAfter", "retry_after_seconds", "estimated_time")
_TIME = (
    r"\d[\d.]*\s*"
    r"(?:ms|milli(?:second)?s?|h(?:(?:ou)?rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)(?![a-z])"  # not of 3 messages
)
_SENTENCE = re.compile(
    r"(?:try again|retry|retrying|wait|available in)\b[^.\d]{0,40}?"
    rf"(?P<time>{_TIME}(?:(?:,|,? and)?\s*{_TIME}){{0,2}})",
    re.IGNORECASE,
)
_MAX_DEPTH = 6
_MAX_ITEMS = 5
_MAX_CHARS = 60  # of a header


def is_unpaid(cause: str, codes: Collection[str | int], *, has_delay: bool) -> bool:
    """Whether the account's quota is used up, which no retry changes.

    Gemini says so of a limit per minute as well, but then it also says when to retry.
    """
    has_code = any(isinstance(code, str) and _NO_QUOTA_CODE.search(code) for code in codes)
    return has_code or (not has_delay and _NO_QUOTA.search(cause) is not None)


def find_delay_s(value: Any, depth: int = 0) -> float | None:
    """Return the delay in an error body in seconds: a google.rpc.RetryInfo, or a field like `retry_after`."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, list):
        inner = value[:_MAX_ITEMS]
    elif isinstance(value, dict):
        for key in _DELAY_FIELDS:
            delay_s = _read_field(value.get(key))
            if delay_s is not None:
                return delay_s
        inner = [each for each in value.values() if isinstance(each, dict | list)][:_MAX_ITEMS]
    else:
        return None
    delays = (find_delay_s(each, depth + 1) for each in inner)
    return next((delay_s for delay_s in delays if delay_s is not None), None)


def read_delay_s(cause: str) -> float | None:
    """Return the delay in a sentence like "Please try again in 1m30s" in seconds."""
    found = _SENTENCE.search(cause)
    return duration_s(found["time"]) if found else None


def find_quoted_headers(body: Any) -> dict[str, str]:
    """Return the headers that a relay quotes in an error of its own, as OpenRouter does in its metadata."""
    for key in ("error", "metadata", "headers"):
        body = body.get(key) if isinstance(body, dict) else None
    return {name: str(value)[:_MAX_CHARS] for name, value in body.items()} if isinstance(body, dict) else {}


def _read_field(delay: Any) -> float | None:
    if isinstance(delay, dict):
        return _read_field(delay.get("seconds"))
    if isinstance(delay, int | float) and not isinstance(delay, bool) and 0 <= delay < 1e6:  # noqa: PLR2004
        return float(delay)
    if isinstance(delay, str) and len(delay) < 20:  # noqa: PLR2004
        return float(delay) if re.fullmatch(r"\d+(\.\d+)?", delay) else duration_s(delay)
    return None
