"""The dated table of list prices (list_prices.toml), from which `mom-gateway init` fills in prices."""

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from config.settings import Price


@dataclass(frozen=True, slots=True)
class ListPrice:
    """A price in US dollars per million tokens, with the day or month on which `source`, a URL, stated it."""

    price: Price
    date: str
    source: str


@dataclass(frozen=True, slots=True)
class _Row:
    provider: str
    ids: tuple[str, ...]
    list_price: ListPrice


def find_list_price(provider: str, model_id: str) -> ListPrice | None:
    """Return the list price of a model at a provider, or None if it is not in the table."""
    rows = (row for row in _read_table() if row.provider == provider)
    return next((row.list_price for row in rows if any(fnmatchcase(model_id, each) for each in row.ids)), None)


@cache
def _read_table() -> tuple[_Row, ...]:
    text = Path(__file__).with_name("list_prices.toml").read_text(encoding="utf-8")
    entries = tomllib.loads(text, parse_float=Decimal)["prices"]
    return tuple(
        _Row(
            entry["provider"],
            tuple(entry["ids"]),
            ListPrice(
                Price(entry["input"], entry["output"], entry.get("cached_input")), entry["date"], entry["source"]
            ),
        )
        for entry in entries
    )
