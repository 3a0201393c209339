"""Beta distributions: the probability that one rate exceeds another, and credible intervals. Pure, without a library.

The regularized incomplete beta function is computed by its continued fraction (Lentz's method; DLMF 8.17.22,
https://dlmf.nist.gov/8.17), to about twelve digits for the parameters that occur here (from 1 to 10^6).
"""

import math
from functools import lru_cache

from runtime.frozen import frozen

_MAX_TERMS = 10_000
_EPSILON = 1e-14
_TINY = 1e-300
_STEPS = 128  # of Simpson's rule over the range below
_REACH = 10.0  # standard deviations to each side of the mean
_BISECTIONS = 50


@frozen
class Beta:
    """The posterior of a rate, with a uniform prior, after `right` successes and `wrong` failures."""

    right: float = 0.0
    wrong: float = 0.0

    @property
    def a(self) -> float:
        """The first parameter of the distribution."""
        return 1.0 + max(0.0, self.right)

    @property
    def b(self) -> float:
        """The second parameter of the distribution."""
        return 1.0 + max(0.0, self.wrong)

    @property
    def mean(self) -> float:
        """The expected rate."""
        return self.a / (self.a + self.b)

    @property
    def deviation(self) -> float:
        """The standard deviation of the rate."""
        total = self.a + self.b
        return math.sqrt(self.a * self.b / (total * total * (total + 1.0)))

    def interval(self, mass: float = 0.9) -> tuple[float, float]:
        """Return the central credible interval with this probability."""
        tail = (1.0 - mass) / 2
        return self.quantile(tail), self.quantile(1.0 - tail)

    def quantile(self, probability: float) -> float:
        """Return the rate below which the true one lies with this probability, by bisection."""
        low, high = 0.0, 1.0
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if incomplete_beta(middle, self.a, self.b) < probability:
                low = middle
            else:
                high = middle
        return (low + high) / 2


@lru_cache(maxsize=4096)
def probability_above(one: Beta, other: Beta) -> float:
    """Return the probability that the rate of `one` is above that of `other`; the absolute error is below 1e-4."""
    # P(X > Y) is the integral of the density of one times the distribution function of the other. The density of the
    # narrower one is integrated, over the range in which it has its mass, so the steps are fine wherever it matters.
    if one.deviation > other.deviation:
        return 1.0 - probability_above(other, one)
    # At 0 or 1 a density may rise from nothing with an infinite slope, so the steps there are made smaller and smaller:
    # x is 3t^2 - 2t^3 of the way for t from 0 to 1.
    low = max(0.0, one.mean - _REACH * one.deviation)
    width = min(1.0, one.mean + _REACH * one.deviation) - low
    total = mass = 0.0
    for index in range(1, _STEPS):
        t = index / _STEPS
        x = low + width * t * t * (3.0 - 2.0 * t)
        weight = (4 if index % 2 else 2) * t * (1.0 - t) * _density(x, one.a, one.b)
        mass += weight
        total += weight * incomplete_beta(x, other.a, other.b)
    return total / mass  # by the same rule, so that the errors of both cancel


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function: the probability that a Beta(a, b) variable is below x."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b))
    if x < (a + 1.0) / (a + b + 2.0):  # the fraction converges fast on this side of the mean
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1.0 - x, b, a) / b


def _density(x: float, a: float, b: float) -> float:
    return math.exp((a - 1.0) * math.log(x) + (b - 1.0) * math.log1p(-x) - _log_beta(a, b))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction of the incomplete beta function, from front to back."""
    c, d = 1.0, 1.0 / _nonzero(1.0 - (a + b) * x / (a + 1.0))
    result = d
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        d, c = 1.0 / _nonzero(1.0 + even * d), _nonzero(1.0 + even / c)
        result *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        d, c = 1.0 / _nonzero(1.0 + odd * d), _nonzero(1.0 + odd / c)
        change = d * c
        result *= change
        if abs(change - 1.0) < _EPSILON:
            break
    return result


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
