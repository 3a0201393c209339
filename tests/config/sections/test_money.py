"""Prices and limits of money."""

from decimal import Decimal
from pathlib import Path

import pytest

from config.settings import Price
from tests.config.loading import problems_of, settings_of

PRICED = "{name: a, base_url: 'http://h', price: {input: 3.0, output: 15}}"
UNPRICED = "{name: b, base_url: 'http://h'}"


def test_prices_keep_their_digits(tmp_path: Path) -> None:
    """Prices are exact; an embedded model is free by default, another model without a price is unpriced."""
    text = f"""
        models:
          - {PRICED}
          - {{name: c, base_url: 'http://h', price: {{input: 0.1, output: 1e-3, cached_input: 0.07}}}}
          - {UNPRICED}
          - {{name: smollm2-135m, provider: embedded}}
          - {{name: qwen2.5-coder-0.5b, provider: embedded, price: {{input: 1, output: 2}}}}
        """
    assert [model.price for model in settings_of(tmp_path, text).models] == [
        Price(Decimal(3), Decimal(15)),
        Price(Decimal("0.1"), Decimal("0.001"), Decimal("0.07")),
        None,
        Price(Decimal(0), Decimal(0)),
        Price(Decimal(1), Decimal(2)),
    ]


def test_limits_reach_the_settings(tmp_path: Path) -> None:
    """For a request, a day and a key; a mixture needs the prices of its own models only."""
    text = f"""
        server:
          currency: EUR
          api_keys: [{{name: ci, key: k, tokens_per_day: 1000}}]
        models: [{PRICED}, {UNPRICED}]
        mixtures: [{{name: m, panel: [a], max_cost: 0.3}}]
        """
    settings = settings_of(tmp_path, text)
    (key,) = settings.server.api_keys
    assert (settings.server.currency, key.tokens_per_day, key.cost_per_day) == ("EUR", 1000, None)
    assert settings.mixtures[0].max_cost == Decimal("0.3")
    server = "server: {max_cost_per_day: 5, api_keys: [{name: ci, key: k, cost_per_day: 0.5}]}"
    limited = settings_of(tmp_path, f"{server}\nmodels: [{PRICED}]").server
    assert (limited.max_cost_per_day, limited.api_keys[0].cost_per_day) == (Decimal(5), Decimal("0.5"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "models: [{name: a, base_url: 'http://h', price: 3}]",
            "models[0].price: must be a mapping, is 3: write {input: …, output: …}",
        ),
        ("models: [{name: a, base_url: 'http://h', price: {input: 3}}]", "models[0].price.output: is missing"),
        (
            "models: [{name: a, base_url: 'http://h', price: {input: -1, output: 1}}]",
            "models[0].price.input: must be >= 0, is -1",
        ),
        (
            "models: [{name: a, base_url: 'http://h', price: {input: 1, output: 1, cached_input: 2}}]",
            "models[0].price.cached_input: must be at most the price of input, is 2",
        ),
        (
            f"models: [{PRICED}, {UNPRICED}]\nmixtures: [{{name: m, panel: [a, b], max_cost: 1}}]",
            'mixtures[0].max_cost: needs the price of every model that this mixture may call; without a price: "b"',
        ),
        (
            f"models: [{PRICED}, {UNPRICED}]\nmixtures: [{{name: m, panel: [a], verify: b, max_cost: 1}}]",
            'mixtures[0].max_cost: needs the price of every model that this mixture may call; without a price: "b"',
        ),
        (
            f"models: [{PRICED}, {UNPRICED}]\nmixtures: [{{name: m, panel: [a, b], max_cost_per_day: 1}}]",
            "mixtures[0].max_cost_per_day: needs the price of every model that this mixture may call",
        ),
        (
            f"server: {{max_cost_per_day: 1}}\nmodels: [{PRICED}, {UNPRICED}]\nmixtures: [{{name: m, panel: [a]}}]",
            'server.max_cost_per_day: needs the price of every model; without a price: "b"',
        ),
        (
            f"server: {{api_keys: [{{name: x, key: k, cost_per_day: 1}}]}}\nmodels: [{UNPRICED}]",
            'server.api_keys[0].cost_per_day: needs the price of every model; without a price: "b"',
        ),
        (f"server: {{max_cost_per_day: 0}}\nmodels: [{PRICED}]", "server.max_cost_per_day: must be > 0, is 0"),
        (f"models: [{PRICED}]\nmixtures: [{{name: m, max_cost: none}}]", "mixtures[0].max_cost: must be a number"),
    ],
)
def test_a_limit_that_cannot_be_enforced_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """One line, with the place of the mistake."""
    (found,) = problems_of(tmp_path, text)
    assert problem in found


def test_a_wrong_price_is_reported_once(tmp_path: Path) -> None:
    """The limit that needs the price does not report it again."""
    text = "server: {max_cost_per_day: 1}\nmodels: [{name: a, base_url: 'http://h', price: {input: x, output: 1}}]"
    (found,) = problems_of(tmp_path, text)
    assert "models[0].price.input: must be a number" in found
