"""The table of list prices: every entry is complete, dated and sourced."""

import re
from decimal import Decimal

import pytest

from config.list_prices import _read_table, find_list_price
from config.providers import PROVIDERS
from config.settings import Price

ROWS = _read_table()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.ids[0])
def test_an_entry_is_complete(row: object) -> None:
    """A known provider, a plausible price, a date and the address of the source."""
    assert isinstance(row, type(ROWS[0]))
    price = row.list_price.price
    assert row.provider in PROVIDERS
    assert 0 < price.input <= price.output < 1000
    assert price.cached_input is None or 0 < price.cached_input <= price.input
    assert re.fullmatch(r"20\d\d-[01]\d(-[0-3]\d)?", row.list_price.date)
    assert row.list_price.source.startswith("https://")


def test_a_price_is_found_by_id() -> None:
    """Also by the id of a dated version."""
    for model_id in ("claude-haiku-4-5", "claude-haiku-4-5-20251001"):
        found = find_list_price("anthropic", model_id)
        assert found is not None
        assert found.price == Price(Decimal("1.0"), Decimal("5.0"), Decimal("0.1"))


@pytest.mark.parametrize(
    ("provider", "model_id"),
    [("openrouter", "claude-haiku-4-5"), ("openai", "gpt-5.4-pro"), ("openai", "gpt-5.1-codex"), ("openai", "x")],
)
def test_another_model_has_no_price(provider: str, model_id: str) -> None:
    """Nor the same model at another provider, nor a model whose id only begins like one."""
    assert find_list_price(provider, model_id) is None
