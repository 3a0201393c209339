"""The most that a request may cost, estimated beforehand."""

from decimal import Decimal
from typing import Any

import pytest

from config.settings import Bypass, BypassRule, Critic, Mixture, Model, Price, Proposer, Verify
from synth import cost_estimate
from synth.ledger import Expense
from synth.request import ChatRequest
from tests.running import panel_of

MODELS = {
    "a": Model("a", "http://h", None, None, "a", price=Price(Decimal(1), Decimal(10))),
    "b": Model("b", "http://h", None, None, "b", params={"max_tokens": 50}, price=Price(Decimal(2), Decimal(20))),
    "c": Model("c", "http://h", None, None, "c"),
}


def mixture(**fields: Any) -> Mixture:
    return Mixture(**{"name": "mom", "panel": panel_of("a", "b"), "critic": Critic("a"), "mode": "fuse", **fields})


def asked(n_chars: int = 4000, n: int = 1, *, role: str = "user", **params: Any) -> ChatRequest:
    return ChatRequest(None, [{"role": role, "content": "x" * n_chars}], params, n=n)


def millionths(use: Expense) -> int:
    return int(use.cost * 10**6)


def test_a_model_alone() -> None:
    """The conversation and its token limit, once for each choice."""
    assert cost_estimate.estimate_model(asked(), MODELS["a"]) == Expense(1000, Decimal("0.001"))
    assert cost_estimate.estimate_model(asked(max_tokens=100, n=3), MODELS["a"]) == Expense(3300, Decimal("0.006"))
    assert cost_estimate.estimate_model(asked(max_tokens=100), MODELS["c"]) == Expense(1100)
    assert cost_estimate.estimate_model(asked(max_tokens=10**300), MODELS["c"]) == Expense(10_001_000)


@pytest.mark.parametrize(
    ("fields", "request_", "cost"),
    [
        ({}, asked(), 1000 + 2000 + 1000 + 1050),  # what a may write is not known
        ({}, asked(max_tokens=100), (1000 + 1000) + (2000 + 1000) + (1150 + 1000)),
        ({}, asked(max_tokens=100, n=2), (1000 + 1000) + (2000 + 1000) + 2 * (1150 + 1000)),
        ({"critic": Critic("a", params={"max_tokens": 10})}, asked(), 1000 + 2000 + 1000 + 1050 + 100),
        ({"panel": (Proposer("a", {}, 1), Proposer("a", {}, 2))}, asked(max_tokens=100), 2 * 2000 + 1200 + 1000),
        ({"layers": 2}, asked(max_tokens=100), (2000 + 3000) + (1150 + 1000 + 2300 + 1000) + (1150 + 1000)),
        ({"verify": Verify("b")}, asked(max_tokens=100), 2000 + 3000 + 2150 + (2200 + 1000)),
        ({"mode": "select", "verdict_max_tokens": 5}, asked(), 1000 + 2000 + 1000 + 2 * (1050 + 50)),
        ({"mode": "auto", "verdict_max_tokens": 5}, asked(), 1000 + 2000 + 1000 + 2 * (1050 + 50)),
        ({"mode": "auto", "orders": 1, "verdict_max_tokens": 5}, asked(max_tokens=100), 2000 + 3000 + 2150),
        ({"mode": "direct"}, asked(max_tokens=100), 1000 + 1000),
        ({}, asked(role="tool"), 1000),
        ({"bypass": Bypass("b", rules=(BypassRule("short", max_tokens_below=9),))}, asked(max_tokens=5), 2000 + 100),
    ],
)
def test_a_mixture(fields: dict[str, Any], request_: ChatRequest, cost: int) -> None:
    """Every proposer of every layer, the critic with all candidates, and the reviewer."""
    assert millionths(cost_estimate.estimate_mixture(request_, mixture(**fields), MODELS)) == cost


def test_a_bypassed_request_asks_one_model() -> None:
    """The cost of a panel does not refuse it."""
    title = ChatRequest(None, [{"role": "user", "content": "Generate a title for this chat"}], {})
    assert cost_estimate.estimate_mixture(title, mixture(), MODELS).tokens < 10
