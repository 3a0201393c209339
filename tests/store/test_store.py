"""The values that cross the interface of a store."""

from decimal import Decimal

import pytest

from store.store import MOST, Amount, Usage, to_money, to_units


@pytest.mark.parametrize(
    ("cost", "units"),
    [("0", 0), ("1", 10**12), ("0.0000000375", 37_500), ("0.0000000000001", 1), ("1e30", 10**18)],
)
def test_money_is_counted_in_whole_units(cost: str, units: int) -> None:
    """Rounded up, so that nothing with a price is free, and bounded."""
    assert to_units(Decimal(cost)) == units


def test_units_are_money_again() -> None:
    """Exactly."""
    assert to_money(to_units(Decimal("12.345678901234"))) == Decimal("12.345678901234")


def test_sums_stop_at_the_largest_number() -> None:
    """Instead of failing in a store."""
    assert (Amount(1, MOST) + Amount(1, 1)).cost == MOST
    assert (Usage(cost=MOST) + Usage(1, cost=1)) == Usage(1, cost=MOST)
