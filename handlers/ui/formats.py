"""Formats numbers, times and texts for the pages. Pure."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

UNKNOWN = "—"
_TWO_DIGITS_BELOW_S = 10
_LEAST_AMOUNT = 1e-6
_MAX_SHOWN_CHARS = 200_000
_CHARS_PER_LINE = 90
_MAX_NAME_CHARS = 60
_THOUSAND = 1_000


def format_seconds(value: float | None) -> str:
    """Return a duration with the useful digits: `0.034 s`, `12.3 s`, `3,600 s`."""
    if value is None:
        return UNKNOWN
    if value < _TWO_DIGITS_BELOW_S:
        return f"{value:.3f} s" if value < 1 else f"{value:.2f} s"
    return f"{value:.1f} s" if value < _THOUSAND else f"{value:,.0f} s"


def format_cost(amount: float | Decimal | None, currency: str = "") -> str:
    """Return an amount of money as all pages show it: `0.0042 USD`, `12.00 EUR`; an unknown one is never 0."""
    if amount is None:
        return "unknown"
    if not amount:
        return "0"
    if amount < _LEAST_AMOUNT:
        return f"under {_LEAST_AMOUNT:f} {currency}".rstrip()
    if amount >= _THOUSAND:
        return f"{amount:,.2f} {currency}".rstrip()
    whole, _, decimals = f"{amount:.6f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')} {currency}".rstrip()


def format_count(value: float | None) -> str:
    """Return a whole number with separators."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def format_time(value: str) -> str:
    """Return an ISO time to the second, in UTC; any other text unchanged, "unknown" for an empty one."""
    try:
        return datetime.fromisoformat(value).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return value or "unknown"


def format_word(value: str | None) -> str:
    """Return a word of the traces as prose: `only_candidate` becomes `only candidate`."""
    return UNKNOWN if not value else str(value).replace("_", " ")


def shorten(name: str) -> str:
    """Return a name, or its beginning: clients may name models at any length."""
    return name if len(name) <= _MAX_NAME_CHARS else f"{name[:_MAX_NAME_CHARS]}…"


def format_line_number(value: int | None) -> str:
    """Return a line's number, or "" for None."""
    return "" if value is None else str(value)


def format_json(value: Any) -> str:
    """Return a value as indented JSON, or a note if it is nested too deeply."""
    try:
        return truncate(json.dumps(value, indent=2, ensure_ascii=False))
    except RecursionError:
        return "(nested too deeply to be shown)"


def truncate(text: str) -> str:
    """Return a text, or its beginning with the number of further characters."""
    n_more = len(text) - _MAX_SHOWN_CHARS
    return text if n_more <= 0 else f"{text[:_MAX_SHOWN_CHARS]}\n… and {n_more:,} more characters"


def is_long(text: str, n_lines: int) -> bool:
    """Whether a text takes more than about so many lines on a page."""
    return len(take_lines(text, n_lines + n_lines // 3)) < len(text)


def take_lines(text: str, n_lines: int) -> str:
    """Return as much of a text as takes so many lines on a page."""
    start = text[: n_lines * _CHARS_PER_LINE]
    return "\n".join(start.split("\n")[:n_lines])


FILTERS: Mapping[str, Callable[..., Any]] = {
    "seconds": format_seconds,
    "cost": format_cost,
    "count": format_count,
    "time": format_time,
    "word": format_word,
    "short": shorten,
    "line_number": format_line_number,
    "json": format_json,
    "truncate": truncate,
    "is_long": is_long,
    "take_lines": take_lines,
}
