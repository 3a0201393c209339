"""From samples to figures: percentiles, medians of rounds, ratios between two subjects. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie, with linear interpolation between ranks.

    ValueError for no values.
    """
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over several rounds: its median, and the smallest and largest that was seen."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Return the median of some rounds, and their extremes; StatisticsError for none."""
    return Spread(statistics.median(values), min(values), max(values))


def ratios(subject: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """Return each round's own ratio, so that what disturbs a whole round disturbs both of its parts.

    ValueError where the numbers of rounds differ; a baseline of 0 gives infinity.
    """
    return [over / under if under else float("inf") for over, under in zip(subject, baseline, strict=True)]
