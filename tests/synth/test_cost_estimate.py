"""The most that a request may cost, estimated beforehand."""

from decimal import Decimal
from typing import Any

import pytest

from config.settings import Bypass, BypassRule, Critic, Mixture, Model, Price, Proposer, Verify
from runtime import json_codec
from synth import cost_estimate
from synth.ledger import Expense
from synth.request import ChatRequest
from tests.running import panel_of

TEXT = [{"role": "user", "content": "x"}]
MODELS = {
    "a": Model("a", "http://h", None, None, "a", price=Price(Decimal(1), Decimal(10))),
    "b": Model("b", "http://h", None, None, "b", params={"max_tokens": 50}, price=Price(Decimal(2), Decimal(20))),
    "c": Model("c", "http://h", None, None, "c"),
}


def mixture(**fields: Any) -> Mixture:
    return Mixture(**{"name": "mom", "panel": panel_of("a", "b"), "critic": Critic("a"), "mode": "fuse", **fields})


def asked(n_chars: int = 4000, n: int = 1, *, role: str = "user", **params: Any) -> ChatRequest:
    """Return a request that is so many characters long as JSON, with everything in it."""
    overhead = len(json_codec.encode({"role": role, "content": ""})) + len(json_codec.encode(params))
    return ChatRequest(None, [{"role": role, "content": "x" * (n_chars - overhead)}], params, n=n)


def millionths(use: Expense) -> int:
    return int(use.cost * 10**6)


def test_a_single_model_is_estimated() -> None:
    """The whole request and as much as the model may write, once for each choice."""
    assert cost_estimate.estimate_model(asked(), MODELS["a"]) == Expense(2000, Decimal("0.011"))
    assert cost_estimate.estimate_model(asked(max_tokens=100, n=3), MODELS["a"]) == Expense(3300, Decimal("0.006"))
    assert cost_estimate.estimate_model(asked(max_tokens=100), MODELS["c"]) == Expense(1100)
    assert cost_estimate.estimate_model(asked(max_tokens=10**300), MODELS["c"]) == Expense(10_001_000)


@pytest.mark.parametrize(
    ("fields", "request_", "cost"),
    [
        ({}, asked(), 1000 + 10_000 + 2000 + 1000 + 2050 + 10_000),  # a writes the usual length
        ({}, asked(max_tokens=100), (1000 + 1000) + (2000 + 1000) + (1150 + 1000)),
        ({}, asked(max_tokens=100, n=2), (1000 + 1000) + (2000 + 1000) + 2 * (1150 + 1000)),
        ({"critic": Critic("a", params={"max_tokens": 10})}, asked(), 11_000 + 2000 + 1000 + 2050 + 100),
        ({"panel": (Proposer("a", {}, 1), Proposer("a", {}, 2))}, asked(max_tokens=100), 2 * 2000 + 1200 + 1000),
        ({"layers": 2}, asked(max_tokens=100), (2000 + 3000) + (1150 + 1000 + 2300 + 1000) + (1150 + 1000)),
        ({"verify": Verify("b")}, asked(max_tokens=100), 2000 + 3000 + 2150 + (2200 + 1000)),
        ({"mode": "select", "verdict_max_tokens": 5}, asked(), 11_000 + 2000 + 1000 + 2 * (2050 + 50)),
        ({"mode": "auto", "verdict_max_tokens": 5}, asked(), 11_000 + 2000 + 1000 + 2050 + 10_000),
        ({"mode": "auto", "orders": 1, "verdict_max_tokens": 5}, asked(max_tokens=100), 2000 + 3000 + 2150),
        ({"mode": "direct"}, asked(max_tokens=100), 1000 + 1000),
        ({}, asked(role="tool"), 1000 + 10_000),
        ({"bypass": Bypass("b", rules=(BypassRule("short", max_tokens_below=9),))}, asked(max_tokens=5), 2000 + 100),
    ],
)
def test_every_call_of_a_mixture_is_estimated(fields: dict[str, Any], request_: ChatRequest, cost: int) -> None:
    """Every proposer of every layer, the critic with all candidates, and the reviewer."""
    assert millionths(cost_estimate.estimate_mixture(request_, mixture(**fields), MODELS)) == cost


def test_a_bypassed_request_asks_one_model() -> None:
    """The cost of a panel does not refuse it."""
    title = ChatRequest(None, [{"role": "user", "content": "Generate a title for this chat"}], {})
    assert cost_estimate.estimate_mixture(title, mixture(), MODELS).tokens < 1030


BIG = "word " * 20_000
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": BIG}}
HIDDEN: dict[str, ChatRequest] = {
    "a tool's description": ChatRequest(
        None, TEXT, {"tools": [{"type": "function", "function": {"description": BIG}}]}
    ),
    "a schema": ChatRequest(None, TEXT, {"response_format": {"json_schema": {"schema": {"description": BIG}}}}),
    "tool calls": ChatRequest(None, [*TEXT, {"role": "assistant", "content": None, "tool_calls": [CALL]}], {}),
    "reasoning": ChatRequest(None, [{"role": "assistant", "content": "k", "reasoning_content": BIG}], {}),
    "a field that nobody knows": ChatRequest(None, TEXT, {"prediction": {"content": BIG}}),
    "a part that nobody knows": ChatRequest(None, [{"role": "user", "content": [{"type": "x", "data": BIG}]}], {}),
    "a message's name": ChatRequest(None, [{"role": "user", "content": "x", "name": BIG}], {}),
    "a key": ChatRequest(None, TEXT, {BIG: 1}),
}


@pytest.mark.parametrize("request_", HIDDEN.values(), ids=HIDDEN)
def test_everything_that_is_sent_counts(request_: ChatRequest) -> None:
    """100 kB are about 25,000 tokens, wherever in the request they are."""
    assert cost_estimate.estimate_model(request_, MODELS["a"]).tokens > 25_000


@pytest.mark.parametrize("url", ["https://example.org/cat.png", "data:image/png;base64," + "A" * 2_000_000])
def test_an_image_counts_as_an_image(url: str) -> None:
    """Providers count pixels, so neither the length of the address nor the file's size gives the cost."""
    image = {"type": "image_url", "image_url": {"url": url}}
    request = ChatRequest(None, [{"role": "user", "content": [{"type": "text", "text": "What?"}, image]}], {})
    assert 1600 < cost_estimate.estimate_model(request, MODELS["a"]).tokens - 1000 < 1700
