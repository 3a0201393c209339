"""Sums that cost next to nothing to add to, in the shapes that Prometheus scrapes.

They are added to at the end of every request, and read a few times a minute: no locks, no objects for each sample. The
work is left to the scrape. Both belong to the loop that they are used in.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

_Labels = tuple[str, ...]


class Count(defaultdict[_Labels, Any]):
    """A counter: what was added up, for each tuple of label values: `count["a", "b"] += 1`.

    One without labels begins with 0, at `()`. One counter takes Decimals or floats, never both.
    """

    def __init__(self, name: str, what: str, *labels: str) -> None:
        super().__init__(int, {} if labels else {(): 0})
        self._described = (name, what)
        self._labels = labels

    def family(self) -> CounterMetricFamily:
        """Return all sums for one scrape."""
        family = CounterMetricFamily(*self._described, labels=self._labels)
        for of, total in self.items():
            family.add_metric(of, float(total))
        return family


class Spread:
    """A histogram: how many values lay at or below each of the `bounds`, for each set of label values."""

    def __init__(self, name: str, what: str, bounds: Sequence[float], *labels: str) -> None:
        self._described = (name, what)
        self._labels = labels
        self._bounds = tuple(bounds)
        self._counts: defaultdict[_Labels, list[int]] = defaultdict(lambda: [0] * (len(bounds) + 1))
        self._sums: defaultdict[_Labels, float] = defaultdict(float)

    def add(self, value: float, *of: str) -> None:
        """Count a value among those of these label values."""
        self._counts[of][bisect_left(self._bounds, value)] += 1
        self._sums[of] += value

    def family(self) -> HistogramMetricFamily:
        """Return all buckets for one scrape."""
        family = HistogramMetricFamily(*self._described, labels=self._labels)
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for of, counts in self._counts.items():
            family.add_metric(of, list(zip(names, accumulate(counts), strict=True)), self._sums[of])
        return family
