"""Sums and histograms as a scraper sees them."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import HistogramMetricFamily

from handlers.telemetry.counters import Counter, Histogram

BOUNDS = (0.5, 1, 10)


def buckets(family: HistogramMetricFamily) -> dict[str, float]:
    return {sample.labels["le"]: sample.value for sample in family.samples if sample.name.endswith("_bucket")}


def test_a_count_without_labels_is_there_from_the_beginning() -> None:
    """A scraper can compute a rate only of a series that it saw before it grew."""
    (sample,) = Counter("seen", "What was seen").family().samples
    assert (sample.name, sample.value) == ("seen_total", 0)


def test_money_is_added_exactly() -> None:
    """Ten times 0.1 is 1."""
    cost = Counter("cost", "Money", "model")
    for _ in range(10):
        cost["a",] += Decimal("0.1")
    (sample,) = cost.family().samples
    assert (sample.labels, sample.value) == ({"model": "a"}, 1.0)


def test_a_bound_belongs_to_its_bucket() -> None:
    """`le` is less than or equal; what is beyond all bounds is in the last one."""
    spread = Histogram("time_s", "Time", BOUNDS)
    for value in (0.5, 0.6, 1, 11):
        spread.observe(value)
    assert buckets(spread.family()) == {"0.5": 1, "1.0": 3, "10.0": 3, "+Inf": 4}


@given(st.lists(st.floats(0, 100)))
def test_buckets_count_values_up_to_their_bound(values: list[float]) -> None:
    """However many values there are, and whatever they are; their sum is the sum."""
    spread = Histogram("time_s", "Time", BOUNDS, "model")
    for value in values:
        spread.observe(value, "a")
    family = spread.family()
    found = buckets(family)
    for bound in BOUNDS if values else ():
        assert found[str(float(bound))] == sum(value <= bound for value in values)
    totals = {sample.name: sample.value for sample in family.samples if "le" not in sample.labels}
    assert totals == ({"time_s_count": len(values), "time_s_sum": sum(values)} if values else {})
