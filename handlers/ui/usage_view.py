"""The page of usage by day, client, mixture and model. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from markupsafe import Markup

from config.settings import Settings
from handlers.ui.charts import Part, draw_columns
from handlers.ui.formats import UNKNOWN, format_cost, format_count
from store.store import USAGE_DAYS, Usage, UsageKey
from store.usage_report import COLUMNS, Column, UsageRow, format_day, group_usage

SPANS = (1, 7, 30, 90)
_DEFAULT_DAYS = 30
_MAX_DIGITS = 9  # of a number of days that is read; more are a mistake, and may take long
_TITLES: Mapping[Column, str] = {"day": "By day", "client": "By client", "mixture": "By mixture", "model": "By model"}
_UNNAMED: Mapping[Column, str] = {
    "day": "",
    "client": "without a key",
    "mixture": "none: a model by its name",
    "model": "",
}


def parse_days(text: str | None) -> int:
    """Return a number of days from a query, or the default if it is unusable."""
    n_days = int(text[:_MAX_DIGITS]) if text is not None and text.isdecimal() else 0
    return min(USAGE_DAYS, n_days) or _DEFAULT_DAYS


def find_unpriced(settings: Settings) -> frozenset[str]:
    """Return the names of the models without a price."""
    return frozenset(model.name for model in settings.models if model.price is None)


def describe_cost(row: UsageRow, currency: str) -> str:
    """Return the cost for people; an unknown price is never shown as 0."""
    if not row.is_partial:
        return format_cost(row.cost, currency)
    return f"at least {format_cost(row.cost, currency)}" if row.cost else "unknown"


def build_usage_view(
    usage: Mapping[UsageKey, Usage], unpriced: Collection[str], currency: str, *, today: int, n_days: int
) -> dict[str, Any]:
    """Return the page's template context for the last days."""
    by_day = group_usage(usage, ("day",), unpriced)
    return {
        "n_days": n_days,
        "spans": sorted({*SPANS, n_days}),
        "has_usage": bool(usage),
        "chart": _draw_days(by_day, currency, today=today, n_days=n_days),
        "groups": [
            {
                "column": column,
                "title": _TITLES[column],
                "rows": [_build_row(row, column, currency) for row in group_usage(usage, (column,), unpriced)],
            }
            for column in COLUMNS
        ],
    }


def _build_row(row: UsageRow, column: Column, currency: str) -> dict[str, Any]:
    return {
        "name": row.names[0] or _UNNAMED.get(column, UNKNOWN),
        "requests": row.requests,
        "prompt_tokens": row.prompt_tokens,
        "cached_tokens": row.cached_tokens,
        "completion_tokens": row.completion_tokens,
        "cost": describe_cost(row, currency),
    }


def _draw_days(rows: list[UsageRow], currency: str, *, today: int, n_days: int) -> Markup:
    """Return a column for each day: its cost, or its tokens if no usage has a price."""
    has_cost = any(row.cost for row in rows)
    known = {row.names[0]: row for row in rows}
    parts: list[Part] = []
    for day in map(format_day, range(today - n_days + 1, today + 1)):
        row = known.get(day)
        if row is None:
            parts.append(Part(day, 0.0))
            continue
        text = f"{day}: {describe_cost(row, currency)}, {format_count(row.tokens)} tokens"
        parts.append(Part(text, float(row.cost) if has_cost else float(row.tokens)))
    return draw_columns(parts, label=f"{'Cost' if has_cost else 'Tokens'} of each of the last {n_days} days")
