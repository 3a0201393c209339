"""Figures from samples: percentiles, medians of rounds, ratios between two subjects. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def find_percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie, with linear interpolation between ranks.

    Raises ValueError if there are no values.
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
    """A figure over several rounds: its median, minimum and maximum."""

    median: float
    low: float
    high: float


def find_spread(values: Sequence[float]) -> Spread:
    """Return median, minimum and maximum of some rounds. Raises StatisticsError if there are none."""
    return Spread(statistics.median(values), min(values), max(values))


def compute_ratios(subject: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """Return the ratio of each round: a disturbance of a round affects both of its parts.

    Raises ValueError if the numbers of rounds differ; a baseline of 0 gives infinity.
    """
    return [over / under if under else float("inf") for over, under in zip(subject, baseline, strict=True)]
