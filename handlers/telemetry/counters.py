"""Counters and histograms in Prometheus' data model that are cheap to update.

They are updated at the end of every request and read a few times a minute, so updates take no lock and make no object;
the scrape does the work. Both belong to the event loop that they are used in.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

_Labels = tuple[str, ...]


class Counter(defaultdict[_Labels, Any]):
    """A counter: a sum for each tuple of label values. Increment it by `counter["a", "b"] += 1`.

    One without labels starts at 0 under the key `()`. A counter adds up Decimals or floats, never both.
    """

    def __init__(self, name: str, help_text: str, *labels: str) -> None:
        super().__init__(int, {} if labels else {(): 0})
        self._name_and_help = (name, help_text)
        self._labels = labels

    def family(self) -> CounterMetricFamily:
        """Return the samples for one scrape."""
        family = CounterMetricFamily(*self._name_and_help, labels=self._labels)
        for labels, total in self.items():
            family.add_metric(labels, float(total))
        return family


class Histogram:
    """A histogram: the number of values at or below each of `bounds`, for each tuple of label values."""

    def __init__(self, name: str, help_text: str, bounds: Sequence[float], *labels: str) -> None:
        self._name_and_help = (name, help_text)
        self._labels = labels
        self._bounds = tuple(bounds)
        self._counts: defaultdict[_Labels, list[int]] = defaultdict(lambda: [0] * (len(bounds) + 1))
        self._sums: defaultdict[_Labels, float] = defaultdict(float)

    def observe(self, value: float, *labels: str) -> None:
        """Count a value under these label values."""
        self._counts[labels][bisect_left(self._bounds, value)] += 1
        self._sums[labels] += value

    def family(self) -> HistogramMetricFamily:
        """Return the samples for one scrape."""
        family = HistogramMetricFamily(*self._name_and_help, labels=self._labels)
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for labels, counts in self._counts.items():
            family.add_metric(labels, list(zip(names, accumulate(counts), strict=True)), self._sums[labels])
        return family
