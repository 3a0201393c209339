"""The byte budget of bodies that are not yet running."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Server
from handlers.errors import ApiError
from handlers.gate.body_budget import FREE_BYTES, BodyBudget

ONE_MB = Server(max_body_buffer_mb=1)


def test_a_body_beyond_the_budget_is_refused() -> None:
    """With 503 and Retry-After, and the others keep what they have."""
    budget = BodyBudget()
    with budget.reserve(ONE_MB) as first, budget.reserve(ONE_MB) as second:
        first.add(2**20 + FREE_BYTES)
        with pytest.raises(ApiError) as refused:
            second.add(FREE_BYTES + 1)
        assert (refused.value.status, refused.value.code) == (503, "overloaded")
        assert "Retry-After" in refused.value.headers
        assert budget.n_bytes == 2**20


def test_short_bodies_pass_a_full_budget() -> None:
    """Long bodies that fill the budget do not shut out ordinary requests."""
    budget = BodyBudget()
    with budget.reserve(ONE_MB) as long, budget.reserve(ONE_MB) as short:
        long.add(2**20 + FREE_BYTES)
        for _ in range(64):
            short.add(FREE_BYTES // 64)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400_000)), max_size=60))
def test_the_budget_is_kept_and_given_back(steps: list[tuple[int, int]]) -> None:
    """In any order of additions, the sum never exceeds the limit, and it ends at zero."""
    budget = BodyBudget()
    open_ones = [budget.reserve(ONE_MB) for _ in range(6)]
    for each in open_ones:
        each.__enter__()
    for which, n_bytes in steps:
        try:
            open_ones[which].add(n_bytes)
        except ApiError:
            open_ones[which].__exit__(None, None, None)
            open_ones[which].__enter__()
        assert 0 <= budget.n_bytes <= 2**20
    for each in open_ones:
        each.__exit__(None, None, None)
    assert (budget.n_bytes, budget.n_bodies) == (0, 0)
