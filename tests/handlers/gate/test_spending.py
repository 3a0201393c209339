"""Budgets of a day."""

from contextlib import ExitStack
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import ApiKey, Critic, Mixture, Model, Price, Secret, Server
from handlers.errors import ApiError
from handlers.gate.spending import Budget, Spending, budgets_of, check_quote, money
from synth.ledger import Expense, Ledger
from tests.upstream.clocks import Clock
from upstream.calls import Attempt, Call

MIDNIGHT = 20_000 * 86_400.0
MODEL = Model("a", "http://h", None, None, "a", price=Price(Decimal(10**6), Decimal(0)))


def used(n_tokens: int) -> Ledger:
    """Return a ledger of so many tokens, each of which costs 1."""
    usage = {"prompt_tokens": n_tokens, "completion_tokens": 0}
    call = Call(MODEL, "direct", [], {}, 0.0)
    call.attempts.append(Attempt(0.0, outcome="ok", sent=True, usage=usage))
    return Ledger([call])


def test_a_budget_that_is_spent_lets_nothing_begin_until_midnight() -> None:
    """The refusal is one that no client repeats by itself, and says how much of what."""
    clock = Clock(MIDNIGHT - 1)
    spending = Spending(clock)
    budgets = [Budget("", Decimal(5))]
    with spending.charge(budgets, Expense(), used(4)):
        pass
    with spending.charge(budgets, Expense(), used(3)):
        pass
    with pytest.raises(ApiError) as refused, spending.charge(budgets, Expense(), used(1)):
        pass
    assert (refused.value.status, refused.value.code) == (429, "insufficient_quota")
    assert refused.value.headers == {"x-should-retry": "false"}
    assert "has spent 7 USD today" in refused.value.message
    assert "server.max_cost_per_day is 5 USD" in refused.value.message
    clock.now = MIDNIGHT
    with spending.charge(budgets, Expense(), used(1)):
        pass
    assert spending.spent() == Expense(1, Decimal(1))


def test_a_request_counts_while_it_runs() -> None:
    """As what was expected of it, so that many at once do not slip in together."""
    spending = Spending(Clock())
    budgets = [Budget("ci", tokens=100)]
    with (
        spending.charge(budgets, Expense(100), used(1)),
        pytest.raises(ApiError, match="requests that run may use 100"),
        spending.charge(budgets, Expense(), used(1)),
    ):
        pass
    with spending.charge(budgets, Expense(100), used(1)):
        pass
    assert spending.spent("ci").tokens == 2


def test_what_fails_is_charged_too() -> None:
    """It was paid for; and it runs no longer."""
    spending = Spending(Clock())
    with pytest.raises(RuntimeError), spending.charge([Budget("", Decimal(5))], Expense(9, Decimal(9)), used(4)):
        raise RuntimeError
    with spending.charge([Budget("", Decimal(5))], Expense(), used(0)):
        pass
    assert spending.spent().cost == 4


def test_a_clock_that_is_set_back_forgets_nothing() -> None:
    """Also over midnight."""
    clock = Clock(MIDNIGHT + 10)
    spending = Spending(clock)
    with spending.charge([Budget("")], Expense(), used(4)):
        clock.now = MIDNIGHT - 10
    assert spending.spent().cost == 4


steps = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(0, 30), st.integers(0, 30)),
        st.tuples(st.just("end"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("wait"), st.integers(0, 100_000), st.just(0)),
    ),
    max_size=60,
)


@given(steps, st.integers(1, 50))
def test_nothing_begins_once_the_budget_is_spent(taken: list[tuple[str, int, int]], limit: int) -> None:
    """Against a plain count of the day; and where estimates hold, the day ends less than one request above it."""
    clock, running = Clock(MIDNIGHT), list[tuple[ExitStack, int, int]]()
    spending, budgets = Spending(clock), [Budget("", Decimal(limit))]
    day, total, largest, estimates_hold = MIDNIGHT // 86_400, 0, 0, True
    for step, first, second in taken:
        if step == "wait":
            clock.now += first
        elif step == "end" and running:
            stack, _, cost = running.pop(first % len(running))
            stack.close()
            total = cost + (total if clock.now // 86_400 == day else 0)
            day = clock.now // 86_400
            assert spending.spent().cost == total
        elif step == "begin":
            before = total if clock.now // 86_400 == day else 0
            stack = ExitStack()
            try:
                stack.enter_context(spending.charge(budgets, Expense(first, Decimal(first)), used(second)))
            except ApiError:
                assert before + sum(expected for _, expected, _ in running) >= limit
                continue
            assert before < limit
            running.append((stack, first, second))
            largest, estimates_hold = max(largest, first), estimates_hold and second <= first
        if estimates_hold:
            assert total < limit + max(largest, 1)
    for stack, _, _ in running:
        stack.close()


def test_accounts() -> None:
    """Every request is charged to the gateway; with a key to that as well."""
    key = ApiKey("ci", Secret("k", "K"), tokens_per_day=5, cost_per_day=Decimal(2))
    server = Server(max_cost_per_day=Decimal(9), currency="EUR")
    whole = Budget("", Decimal(9), None, "EUR")
    assert budgets_of(server, None) == (whole,)
    assert budgets_of(server, key) == (whole, Budget("ci", Decimal(2), 5, "EUR"))


def test_max_cost() -> None:
    """Just what it says is still allowed."""
    mixture = Mixture("mom", (), Critic("a"), max_cost=Decimal("0.5"))
    check_quote(Expense(10, Decimal("0.5")), mixture, "USD")
    with pytest.raises(ApiError, match=r"may cost 0\.5001 USD \(about 10 tokens\), and max_cost of mom is 0\.5 USD"):
        check_quote(Expense(10, Decimal("0.5001")), mixture, "USD")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("0", "0 USD"), ("10", "10 USD"), ("1.23456", "1.2346 USD"), ("0.00001", "0.00001 USD"), ("100000", "100000 USD")],
)
def test_money_is_written_for_people(amount: str, shown: str) -> None:
    """Without an exponent, and without zeros that say nothing."""
    assert money(Decimal(amount), "USD") == shown
