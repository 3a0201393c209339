"""Tokens and costs of calls."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Model, Price
from synth.ledger import Expense, Ledger, compute_cost, count_tokens, price_tokens
from upstream.calls import Attempt, Call
from upstream.errors import Kind

PRICE = Price(Decimal(3), Decimal(15), Decimal("0.3"))
SAID = [{"role": "user", "content": "x" * 4000}]

amounts = st.decimals(0, 1000, places=6)
prices = st.builds(lambda low, more, output: Price(low + more, output, low), amounts, amounts, amounts)
counts = st.integers(0, 10**7)
usages = st.one_of(
    st.none(),
    st.builds(
        lambda prompt, completion, cached: {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "prompt_tokens_details": {"cached_tokens": cached},
        },
        counts,
        counts,
        counts,
    ),
)
outcomes = st.sampled_from(["ok", "cancelled", "running", *Kind])
attempts = st.builds(
    lambda outcome, usage, sent, chars: Attempt(0.0, outcome=outcome, usage=usage, sent=sent, received_chars=chars),
    outcomes,
    usages,
    st.booleans(),
    st.integers(0, 10**6),
)


def call(*tried: Attempt, price: Price | None = PRICE, name: str = "a") -> Call:
    """Return a call with these attempts, of a model with this price."""
    asked = Call(Model(name, "http://h", None, None, name, price=price), "proposer", SAID, {}, 60.0)
    asked.attempts.extend(tried)
    return asked


def stated(prompt: Any, completion: Any, cached: Any = None, **fields: Any) -> Attempt:
    """Return an attempt whose upstream reported its usage."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    details = {} if cached is None else {"prompt_tokens_details": {"cached_tokens": cached}}
    return Attempt(0.0, outcome="ok", sent=True, usage={**usage, **details}, **fields)


@pytest.mark.parametrize(
    ("tried", "cost"),
    [
        (stated(1_000_000, 0), "3"),
        (stated(1000, 100), "0.0045"),
        (stated(1000, 100, cached=1000), "0.0018"),
        (stated(1000, 100, cached=5000), "0.0018"),
        (stated(1000, 100, cached="many"), "0.0045"),
        (stated(1000, 100, cached=-5), "0.0045"),
        (stated(10**300, 100, received_chars=400), "0.0045"),
    ],
)
def test_reported_tokens_are_priced(tried: Attempt, cost: str) -> None:
    """To the digit; cached tokens at their own price, and never more of them than the prompt has."""
    assert compute_cost(call(tried)) == Decimal(cost)


def test_cached_tokens_cost_like_others_without_a_price_of_their_own() -> None:
    """No discount is assumed."""
    assert compute_cost(call(stated(1000, 0, cached=900), price=Price(Decimal(3), Decimal(15)))) == Decimal("0.003")


def test_failed_and_cancelled_attempts_are_priced() -> None:
    """By the text sent and received, marked as estimated; a refused request costs nothing."""
    cancelled = Attempt(0.0, outcome="cancelled", sent=True, received_chars=400)
    refused = Attempt(0.0, outcome=Kind.RATE_LIMITED, sent=True)
    asked = call(refused, cancelled)
    assert count_tokens(asked).estimated
    assert compute_cost(asked) == Decimal("0.0045")
    assert compute_cost(call(refused)) == 0


def test_without_a_price_there_is_no_cost() -> None:
    """Unless the model used no tokens; the known costs are summed separately."""
    known, unknown = call(stated(1000, 100)), call(stated(10, 10), price=None, name="b")
    idle = call(Attempt(0.0, outcome=Kind.CONNECT), price=None, name="c")
    ledger = Ledger([known, unknown, idle])
    assert ledger.used().cost is None
    assert [ledger.by_model()[name].cost for name in "abc"] == [Decimal("0.0045"), None, Decimal(0)]
    assert ledger.used().spent == Expense(1120, Decimal("0.0045"))
    assert Ledger([known, idle]).used().cost == Decimal("0.0045")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(attempts, max_size=4)), max_size=6), prices)
def test_costs_add_up_and_are_never_negative(calls: list[tuple[str, list[Attempt]]], price: Price) -> None:
    """The sum over models, over calls and over attempts is the same, to the last digit."""
    ledger = Ledger([call(*tried, price=price, name=name) for name, tried in calls])
    whole = ledger.used().cost
    assert whole is not None
    assert whole >= 0
    parts = [compute_cost(each) for each in ledger.calls]
    single = [compute_cost(call(attempt, price=price)) for _, tried in calls for attempt in tried]
    by_model = [used.cost for used in ledger.by_model().values()]
    assert sum(filter(None, parts)) == sum(filter(None, single)) == sum(filter(None, by_model)) == whole
    assert ledger.used().spent.cost == whole


@given(st.integers(0, 10**6), st.integers(0, 10**6), prices)
def test_a_cancelled_call_costs_no_more_than_the_whole_one(some: int, more: int, price: Price) -> None:
    """It read the same prompt and wrote less."""
    cancelled = Attempt(0.0, outcome="cancelled", sent=True, received_chars=some)
    whole = Attempt(0.0, outcome="ok", sent=True, received_chars=some + more)
    assert (compute_cost(call(cancelled, price=price)) or 0) <= (compute_cost(call(whole, price=price)) or 0)


@given(counts, counts, counts, prices)
def test_a_cache_never_raises_the_cost(prompt: int, completion: int, cached: int, price: Price) -> None:
    """For any number that an upstream reports."""
    plain, discounted = (count_tokens(call(stated(prompt, completion, found))) for found in (None, cached))
    assert price_tokens(discounted, price).cost <= price_tokens(plain, price).cost
