"""The few statistics of a measurement: intervals, and two tests of paired results. Pure."""

import math
import random
from collections.abc import Sequence

_Z = 1.959963984540054  # two-sided 95 %


def wilson(passed: int, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of a rate (Wilson 1927); (0, 1) for n = 0.

    (p + z²/2n ± z·√(p(1-p)/n + z²/4n²)) / (1 + z²/n), for p = passed/n.
    """
    if n == 0:
        return 0.0, 1.0
    rate, spread = passed / n, _Z * _Z / n
    middle = rate + spread / 2
    half = _Z * math.sqrt(rate * (1 - rate) / n + spread / (4 * n))
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return (0.0 if passed == 0 else low), (1.0 if passed == n else high)


def mcnemar(mine: Sequence[bool], theirs: Sequence[bool]) -> float:
    """Return the exact two-sided p-value of McNemar's test for paired results (1947).

    Of the items on which the two differ, those that are mine are Binomial(n, 1/2) if neither is better; 1.0 if they
    never differ.
    """
    gained = sum(a and not b for a, b in zip(mine, theirs, strict=True))
    lost = sum(b and not a for a, b in zip(mine, theirs, strict=True))
    n = gained + lost
    tail = sum(math.comb(n, k) for k in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / 2.0**n)


def bootstrap(mine: Sequence[bool], theirs: Sequence[bool], *, seed: int, draws: int = 10_000) -> tuple[float, float]:
    """Return the 95 % percentile interval of the difference of two paired rates, items drawn with replacement.

    (0, 0) for no items. The seed makes it repeatable.
    """
    differences = [int(a) - int(b) for a, b in zip(mine, theirs, strict=True)]
    n = len(differences)
    if n == 0:
        return 0.0, 0.0
    rng = random.Random(seed)  # noqa: S311 -- statistics, not secrets
    means = sorted(sum(rng.choices(differences, k=n)) / n for _ in range(draws))
    return means[int(draws * 0.025)], means[min(draws - 1, int(draws * 0.975))]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of all lies, interpolated between two; 0.0 for no values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
