"""Usage by day, client, mixture or model: sums of the store's usage as rows, CSV and JSON. Pure."""

import csv
import io
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from runtime.frozen import frozen
from store.rules import DAY_S
from store.store import Usage, UsageKey, to_money

Column = Literal["day", "client", "mixture", "model"]
COLUMNS: tuple[Column, ...] = ("day", "client", "mixture", "model")
FIGURES = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens", "cost")


@frozen
class UsageRow:
    """The usage of one group: `names` are its values in the columns of the grouping.

    Requests that called several models count once, unless the rows are by model. `cached_tokens` are part of
    `prompt_tokens`. `cost` is that of the tokens with a price; `is_partial`: some tokens had no price.
    """

    names: tuple[str, ...]
    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: Decimal
    is_partial: bool

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.prompt_tokens + self.completion_tokens


def format_day(day: int) -> str:
    """Return a day since the epoch as an ISO date."""
    return datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()


def group_usage(
    usage: Mapping[UsageKey, Usage], columns: Sequence[Column], unpriced: Collection[str] = ()
) -> list[UsageRow]:
    """Return a row for each group, sorted by its names; `unpriced` are the models without a price."""
    sums: dict[tuple[str, ...], Usage] = {}
    partial: set[tuple[str, ...]] = set()
    by_model = "model" in columns
    for key, used in usage.items():
        if by_model and not key.model:
            continue
        names = tuple([_read_name(key, column) for column in columns])
        counted = used if by_model or not key.model else _without_requests(used)
        sums[names] = sums.get(names, Usage()) + counted
        if key.model in unpriced and used.prompt + used.completion:
            partial.add(names)
    return [_build_row(names, sums[names], names in partial) for names in sorted(sums)]


def as_csv(rows: Sequence[UsageRow], columns: Sequence[Column], currency: str) -> str:
    """Return rows as CSV (RFC 4180) with a line of headings."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*columns, *FIGURES, "currency"])
    for row in rows:
        figures = (row.requests, row.prompt_tokens, row.cached_tokens, row.completion_tokens, _format_cost(row))
        writer.writerow([*map(_defuse, row.names), *figures, currency])
    return text.getvalue()


def as_json(rows: Sequence[UsageRow], columns: Sequence[Column], currency: str) -> str:
    """Return rows as a JSON array of objects; `cost` is null if a part of it is unknown."""
    return json.dumps([_as_object(row, columns, currency) for row in rows], ensure_ascii=False, indent=1) + "\n"


def _as_object(row: UsageRow, columns: Sequence[Column], currency: str) -> dict[str, Any]:
    return {
        **dict(zip(columns, row.names, strict=True)),
        "requests": row.requests,
        "prompt_tokens": row.prompt_tokens,
        "cached_tokens": row.cached_tokens,
        "completion_tokens": row.completion_tokens,
        "cost": None if row.is_partial else float(row.cost),
        "currency": currency,
    }


def _read_name(key: UsageKey, column: Column) -> str:
    return format_day(key.day) if column == "day" else str(getattr(key, column))


def _without_requests(used: Usage) -> Usage:
    return Usage(0, used.prompt, used.completion, used.cached, used.cost)


def _build_row(names: tuple[str, ...], used: Usage, is_partial: bool) -> UsageRow:  # noqa: FBT001 -- a field
    return UsageRow(names, used.requests, used.prompt, used.cached, used.completion, to_money(used.cost), is_partial)


def _format_cost(row: UsageRow) -> str:
    return "" if row.is_partial else f"{row.cost:f}"


def _defuse(name: str) -> str:
    """Return a name that no spreadsheet mistakes for a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name
