"""Budgets of a day."""

from contextlib import ExitStack, suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import ApiKey, Model, Price, Secret, Server
from handlers.errors import ApiError
from handlers.gate.spending import Budget, Spending, budgets_of, check_quote, money
from synth.ledger import Expense, Ledger
from tests.upstream.clocks import Clock
from upstream.calls import Attempt, Call

MIDNIGHT = 20_000 * 86_400.0
MODEL = Model("a", "http://h", None, None, "a", price=Price(Decimal(10**6), Decimal(0)))


def in_step(clock: Clock) -> Spending:
    """Return the spending of a process whose two clocks agree."""
    return Spending(clock, clock)


def used(n_tokens: int) -> Ledger:
    """Return a ledger of so many tokens, each of which costs 1."""
    usage = {"prompt_tokens": n_tokens, "completion_tokens": 0}
    call = Call(MODEL, "direct", [], {}, 0.0)
    call.attempts.append(Attempt(0.0, outcome="ok", sent=True, usage=usage))
    return Ledger([call])


def test_a_budget_that_is_spent_lets_nothing_begin_until_midnight() -> None:
    """The refusal is one that no client repeats by itself, and says how much of what."""
    clock = Clock(MIDNIGHT - 1)
    spending = in_step(clock)
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
    spending = in_step(Clock())
    budgets = [Budget("ci", tokens=100)]
    with (
        spending.charge(budgets, Expense(100), used(1)),
        pytest.raises(ApiError, match="running requests may use 100"),
        spending.charge(budgets, Expense(), used(1)),
    ):
        pass
    with spending.charge(budgets, Expense(99), used(1)):
        pass
    assert spending.spent("ci").tokens == 2


def test_what_fails_is_charged_too() -> None:
    """It was paid for; and it runs no longer."""
    spending = in_step(Clock())
    with pytest.raises(RuntimeError), spending.charge([Budget("", Decimal(5))], Expense(5, Decimal(5)), used(4)):
        raise RuntimeError
    with spending.charge([Budget("", Decimal(5))], Expense(), used(0)):
        pass
    assert spending.spent().cost == 4


class Clocks:
    """The time of day, which can be set, and the time since the start, which cannot."""

    def __init__(self, unix_time: float) -> None:
        self.unix = Clock(unix_time)
        self.uptime = Clock(5.0)

    def wait(self, seconds: float) -> None:
        self.unix.now += seconds
        self.uptime.now += seconds


def spend(spending: Spending, amount: int, limit: int = 5) -> bool:
    """Spend an amount if the budget allows it, and return whether it did."""
    try:
        with spending.charge([Budget("", Decimal(limit))], Expense(amount, Decimal(amount)), used(amount)):
            return True
    except ApiError:
        return False


def test_a_new_day_has_a_new_budget() -> None:
    """It begins at midnight UTC, however short the first day of the process was."""
    clocks = Clocks(MIDNIGHT - 60)
    spending = Spending(clocks.unix, clocks.uptime)
    assert spend(spending, 5)
    assert not spend(spending, 1)
    clocks.wait(59)
    assert not spend(spending, 1)
    for _ in range(3):
        clocks.wait(1 if spending.spent().cost and clocks.unix.now < MIDNIGHT else 86_400)
        assert spend(spending, 5)
        assert not spend(spending, 1)


@pytest.mark.parametrize("moves", [[86_400], [-86_400], [400 * 86_400, -400 * 86_400], [43_200] * 6, [7_200] * 30])
def test_setting_the_clock_gives_no_new_budget(moves: list[int]) -> None:
    """Neither forward nor back, nor in small steps."""
    clocks = Clocks(MIDNIGHT + 3600)
    spending = Spending(clocks.unix, clocks.uptime)
    assert spend(spending, 5)
    for move in moves:
        clocks.unix.now += move
        assert not spend(spending, 1)
        assert spending.spent().cost == 5


@pytest.mark.parametrize("moves", [[400 * 86_400], [-400 * 86_400], [400 * 86_400, -400 * 86_400], [-86_400, 86_400]])
def test_setting_the_clock_blocks_no_budget(moves: list[int]) -> None:
    """At most 24 hours later a new day has begun, whether the clock was set right again or not."""
    clocks = Clocks(MIDNIGHT + 3600)
    spending = Spending(clocks.unix, clocks.uptime)
    for move in moves:
        clocks.unix.now += move
        assert spend(spending, 1)
    assert spend(spending, 5 - len(moves))
    clocks.wait(86_400)
    assert spend(spending, 5)
    clocks.wait(86_400)
    assert spend(spending, 5)


def test_a_small_error_of_the_clock_is_none() -> None:
    """NTP moves a clock by seconds; the day then begins by the clock, and never twice."""
    clocks = Clocks(MIDNIGHT - 30)
    spending = Spending(clocks.unix, clocks.uptime)
    assert spend(spending, 5)
    clocks.unix.now += 40
    assert spend(spending, 5)
    clocks.unix.now -= 40
    assert not spend(spending, 1)
    clocks.wait(31)
    assert not spend(spending, 1)


def test_a_request_that_needs_more_than_is_left_is_refused() -> None:
    """By its own estimate, also on an untouched day; a smaller one may still run."""
    spending = in_step(Clock())
    with pytest.raises(
        ApiError, match=r"has spent 0 USD today\. This request may cost 10 USD: server\.max_cost_per_day"
    ):
        spending.reserve([Budget("", Decimal(5))], Expense(10, Decimal(10)))
    assert spend(spending, 3)
    assert not spend(spending, 3)
    assert spend(spending, 2)
    with pytest.raises(ApiError, match=r"has used 5 tokens today\. This request may use 7: its tokens_per_day is 10"):
        spending.reserve([Budget("", tokens=10)], Expense(7))


def test_concurrent_requests_cannot_spend_together_what_each_could_alone() -> None:
    """Two hundred at once, of which the budget allows five."""
    spending = in_step(Clock())
    budgets = [Budget("", Decimal(5))]
    reservations = []
    for _ in range(200):
        with suppress(ApiError):
            reservations.append(spending.reserve(budgets, Expense(1, Decimal(1))))
    assert len(reservations) == 5
    for reservation in reservations:
        spending.settle(reservation, Expense(0, Decimal("0.5")))
    assert spending.spent().cost == Decimal("2.5")
    assert spend(spending, 2)


def test_a_refused_request_reserves_nothing() -> None:
    """Not even on the account that would have allowed it."""
    spending = in_step(Clock())
    budgets = [Budget("", Decimal(9)), Budget("ci", Decimal(1))]
    for _ in range(50):
        with pytest.raises(ApiError, match="the key ci"):
            spending.reserve(budgets, Expense(2, Decimal(2)))
    assert spend(spending, 9, limit=9)


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
    """Against a plain count of the day; if the estimates hold, a day never exceeds its limit."""
    clock, running = Clock(MIDNIGHT), list[tuple[ExitStack, int, int]]()
    spending, budgets = in_step(clock), [Budget("", Decimal(limit))]
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
                reserved = before + sum(expected for _, expected, _ in running)
                assert reserved >= limit or reserved + first > limit
                continue
            assert before < limit
            running.append((stack, first, second))
            largest, estimates_hold = max(largest, first), estimates_hold and second <= first
        if estimates_hold:
            assert total <= limit
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
    check_quote(Expense(10, Decimal("0.5")), Decimal("0.5"), "mom", "USD")
    check_quote(Expense(10, Decimal("0.5")), None, "mom", "USD")
    with pytest.raises(ApiError, match=r"may cost 0\.5001 USD \(about 10 tokens\), and max_cost of mom is 0\.5 USD"):
        check_quote(Expense(10, Decimal("0.5001")), Decimal("0.5"), "mom", "USD")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("0", "0 USD"), ("10", "10 USD"), ("1.23456", "1.2346 USD"), ("0.00001", "0.00001 USD"), ("100000", "100000 USD")],
)
def test_money_is_written_for_people(amount: str, shown: str) -> None:
    """Without an exponent, and without zeros that say nothing."""
    assert money(Decimal(amount), "USD") == shown
