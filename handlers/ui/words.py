"""How the pages say numbers and times. Pure."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

UNKNOWN = "—"
_SHORT_S = 10
_CENTS = 0.01
_LEAST_MONEY = 1e-6
_MAX_SHOWN_CHARS = 200_000
_WIDE_LINE_CHARS = 90


def seconds(value: float | None) -> str:
    """Return a duration with as many digits as one can use: `0.034 s`, `12.3 s`."""
    if value is None:
        return UNKNOWN
    return f"{value:.3f} s" if value < 1 else f"{value:.2f} s" if value < _SHORT_S else f"{value:.1f} s"


def money(value: float | None) -> str:
    """Return an amount; what is not known is never nothing."""
    if value is None:
        return "unknown"
    if not value:
        return "0"
    if value < _LEAST_MONEY:
        return f"< {_LEAST_MONEY:f}"
    return f"{value:.6f}".rstrip("0") if value < _CENTS else f"{value:.4f}"


def count(value: float | None) -> str:
    """Return a whole number with separators."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """Return a share of 1 in percent."""
    return UNKNOWN if value is None else f"{value * 100:.0f} %"


def when(value: str) -> str:
    """Return an ISO time to the second, in UTC; what is no time stays as it is."""
    try:
        return datetime.fromisoformat(value).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return value


def spoken(value: str | None) -> str:
    """Return a word of the traces as prose has it: `only_candidate` is `only candidate`."""
    return UNKNOWN if not value else str(value).replace("_", " ")


def line_number(value: int | None) -> str:
    """Return a line's number, nothing where it has none."""
    return "" if value is None else str(value)


def as_json(value: Any) -> str:
    """Return a value as JSON for reading."""
    return shown(json.dumps(value, indent=2, ensure_ascii=False))


def shown(text: str) -> str:
    """Return a text, or its beginning and how much more there is."""
    n_more = len(text) - _MAX_SHOWN_CHARS
    return text if n_more <= 0 else f"{text[:_MAX_SHOWN_CHARS]}\n… and {n_more:,} more characters"


def is_long(text: str, n_lines: int) -> bool:
    """Whether a text takes more than so many lines on a page."""
    return len(beginning(text, n_lines + n_lines // 3)) < len(text)


def beginning(text: str, n_lines: int) -> str:
    """Return as much of a text as takes so many lines on a page."""
    start = text[: n_lines * _WIDE_LINE_CHARS]
    return "\n".join(start.split("\n")[:n_lines])


FILTERS: Mapping[str, Callable[..., Any]] = {
    "seconds": seconds,
    "money": money,
    "count": count,
    "share": share,
    "when": when,
    "spoken": spoken,
    "line_number": line_number,
    "as_json": as_json,
    "shown": shown,
    "is_long": is_long,
    "beginning": beginning,
}
