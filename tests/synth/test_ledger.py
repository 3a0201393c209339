"""Tokens and costs of calls."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Model, Price
from synth.ledger import Expense, Ledger, compute_cost, count_tokens, price_tokens
from upstream.calls import Attempt, Call, Tokens
from upstream.errors import Kind

PRICE = Price(Decimal(3), Decimal(15), Decimal("0.3"))
SAID = [{"role": "user", "content": "x" * 3968}]  # a thousand tokens, with the JSON around it

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


def test_tokens_written_to_a_cache_have_a_price_of_their_own() -> None:
    """Anthropic charges more for them than for others; without a price of their own they cost like others."""
    tokens = Tokens(1_000_000, 0, cached=600_000, written=300_000)
    price = Price(Decimal(10), Decimal(0), Decimal(1), Decimal("12.5"))
    assert price_tokens(tokens, price).cost == Decimal("5.35")  # 100k at 10, 600k at 1, 300k at 12.5
    assert price_tokens(tokens, replace(price, cache_write=None)).cost == Decimal("4.6")
    assert (tokens.hit_rate, Tokens(10).hit_rate, Tokens(10, written=10).hit_rate) == (0.6, None, 0.0)


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


def unreported(outcome: str, seconds: float = 0.0, **fields: Any) -> Attempt:
    """Return an attempt of that many seconds that was sent, and whose upstream reported no usage."""
    return Attempt(0.0, ended=seconds, outcome=outcome, sent=True, **fields)


@pytest.mark.parametrize(
    ("tried", "params", "completion"),
    [
        (unreported("cancelled", 1.0), {}, 500),  # the answer was still hidden
        (unreported("cancelled", 1.0), {"max_tokens": 50}, 50),
        (unreported("cancelled", 1.0), {"max_completion_tokens": 60, "max_tokens": 70}, 60),
        (unreported("cancelled", 1.0), {"max_tokens": -1}, 500),
        (unreported("cancelled", 3600.0), {}, 4096),
        (unreported("cancelled", 1.0, received_chars=4000), {}, 1000),  # more was seen than the time explains
        (unreported("cancelled", 1.0, received_chars=4), {}, 500),  # reasoning may have been hidden
        (unreported(Kind.TIMEOUT, 2.0), {}, 1000),
        (unreported(Kind.TRUNCATED, 0.0, received_bytes=8000), {}, 2000),
        (unreported(Kind.UNPARSABLE, 0.0, received_bytes=8000), {"max_tokens": 100}, 100),
        (unreported(Kind.OVERSIZED, 0.1, received_bytes=32 << 20), {}, 32_768),
        (unreported(Kind.OVERSIZED, 0.1, received_bytes=32 << 20), {"max_tokens": 8192}, 8192),
        (unreported(Kind.EMPTY, 1.0, received_bytes=20), {}, 500),
        (unreported("ok", 60.0, received_chars=400), {}, 100),  # complete: there is no more than what came
        (unreported(Kind.SERVER_ERROR, 60.0), {}, 0),
        (unreported(Kind.RATE_LIMITED, 60.0), {}, 0),
    ],
)
def test_unreported_usage_is_estimated_by_time_and_limit(
    tried: Attempt, params: dict[str, Any], completion: int
) -> None:
    """What was received, or what a fast model writes in that time and within its limit; always marked as estimated."""
    made = call(tried)
    made.params = params
    tokens = count_tokens(made)
    assert tokens.completion == completion
    assert tokens.estimated == (tokens.prompt > 0) == (completion > 0)


def test_a_running_attempt_counts_received_text() -> None:
    """Readers of the ledger in the middle of a request see no time that has not passed."""
    assert count_tokens(call(Attempt(0.0, sent=True, received_chars=40))).completion == 10
