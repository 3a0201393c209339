"""A budget of steps."""

import pytest

from runtime.budget import CHARS_PER_STEP, Budget, BudgetExceededError


def test_a_budget_is_spent_step_by_step() -> None:
    """All of it may be spent, and no step more."""
    budget = Budget(3)
    budget.spend(2)
    budget.spend(1)
    with pytest.raises(BudgetExceededError):
        budget.spend(1)


def test_scanning_costs_by_length() -> None:
    """At least one step, so that an empty text in a loop costs something too."""
    budget = Budget(3)
    budget.spend_chars(0)
    budget.spend_chars(CHARS_PER_STEP)
    with pytest.raises(BudgetExceededError):
        budget.spend_chars(0)
