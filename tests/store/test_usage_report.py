"""Usage as rows, CSV and JSON."""

import csv
import io
import json
from decimal import Decimal

from store.store import Usage, UsageKey, to_units
from store.usage_report import COLUMNS, as_csv, as_json, format_day, group_usage

ONE = to_units(Decimal("0.5"))
USAGE = {
    UsageKey(20_000, "ci", "mom", ""): Usage(3),
    UsageKey(20_000, "ci", "mom", "a"): Usage(3, 100, 10, 50, ONE),
    UsageKey(20_000, "ci", "mom", "b"): Usage(2, 200, 20, 0, 0),
    UsageKey(20_001, "", "", ""): Usage(1),
    UsageKey(20_001, "", "", "a"): Usage(1, 7, 1, 0, ONE),
}


def test_a_request_that_called_several_models_counts_once() -> None:
    """By day, client or mixture; by model it counts for each."""
    by_day = group_usage(USAGE, ("day",), unpriced={"b"})
    assert [(row.names, row.requests, row.tokens) for row in by_day] == [
        (("2024-10-04",), 3, 330),
        (("2024-10-05",), 1, 8),
    ]
    assert [(row.cost, row.is_partial) for row in by_day] == [(Decimal("0.5"), True), (Decimal("0.5"), False)]
    by_model = group_usage(USAGE, ("model",))
    assert [(row.names, row.requests, row.cached_tokens, row.cost) for row in by_model] == [
        (("a",), 4, 50, Decimal(1)),
        (("b",), 2, 0, Decimal(0)),
    ]
    assert sum(row.requests for row in group_usage(USAGE, ("client", "mixture"))) == 4


def test_csv_has_a_row_for_each_group() -> None:
    """A cost that is partly unknown is empty, and no name is a formula to a spreadsheet."""
    usage = {**USAGE, UsageKey(20_000, "=cmd()", 'a "b", c', "a"): Usage(1)}
    text = as_csv(group_usage(usage, COLUMNS, {"b"}), COLUMNS, "EUR")
    heads, *rows = csv.reader(io.StringIO(text))
    assert heads == [
        *("day", "client", "mixture", "model", "requests"),
        *("prompt_tokens", "cached_tokens", "completion_tokens", "cost", "currency"),
    ]
    assert rows[0] == ["2024-10-04", "'=cmd()", 'a "b", c', "a", "1", "0", "0", "0", "0", "EUR"]
    assert rows[1] == ["2024-10-04", "ci", "mom", "a", "3", "100", "50", "10", "0.5", "EUR"]
    assert rows[2][-2:] == ["", "EUR"]


def test_json_has_an_object_for_each_group() -> None:
    """A cost that is partly unknown is null."""
    first, second, _ = json.loads(as_json(group_usage(USAGE, COLUMNS, {"b"}), COLUMNS, "USD"))
    assert first == {
        "day": "2024-10-04",
        "client": "ci",
        "mixture": "mom",
        "model": "a",
        "requests": 3,
        "prompt_tokens": 100,
        "cached_tokens": 50,
        "completion_tokens": 10,
        "cost": 0.5,
        "currency": "USD",
    }
    assert second["cost"] is None


def test_days_are_dates() -> None:
    """In UTC."""
    assert format_day(0) == "1970-01-01"
