"""How much retries and hedges may add to an upstream's calls."""

from hypothesis import given
from hypothesis import strategies as st

from tests.upstream.clocks import Clock
from upstream.retry_policy import FLOOR, SHARE, WINDOW_S, RetryBudget

STEPS = st.lists(st.tuples(st.sampled_from(["call", "spend"]), st.sampled_from([0.0, 0.1, 1.0, 4.0])), max_size=200)


@given(STEPS)
def test_what_is_spent_stays_within_the_share_of_the_window(steps: list[tuple[str, float]]) -> None:
    """Whatever comes in whichever order: at each spending, the floor or 20 % of the window's calls."""
    clock = Clock()
    budget = RetryBudget(clock)
    calls: list[float] = []
    spent: list[float] = []
    for step, pause_s in steps:
        clock.now += pause_s
        recent_calls = sum(instant > clock.now - WINDOW_S for instant in calls)
        recent_spent = sum(instant > clock.now - WINDOW_S for instant in spent)
        if step == "call":
            budget.count_call()
            calls.append(clock.now)
        elif budget.spend():
            spent.append(clock.now)
            assert recent_spent + 1 <= max(FLOOR, SHARE * recent_calls)
        else:
            assert recent_spent + 1 > max(FLOOR, SHARE * recent_calls)


@given(st.integers(min_value=0, max_value=300))
def test_so_many_calls_allow_so_many_retries(n_calls: int) -> None:
    """A fifth of the calls, rounded down, and never less than three."""
    budget = RetryBudget(Clock())
    for _ in range(n_calls):
        budget.count_call()
    assert sum(budget.spend() for _ in range(n_calls + 10)) == max(3, n_calls // 5)


def test_a_spent_budget_is_whole_again_after_the_window() -> None:
    """What was spent is forgotten WINDOW_S later, to the instant."""
    clock = Clock()
    budget = RetryBudget(clock)
    assert [budget.spend() for _ in range(4)] == [True, True, True, False]
    clock.now += WINDOW_S - 0.001
    assert not budget.spend()
    clock.now += 0.001
    assert budget.spend()
