"""Trust: which member of a panel is better at a kind of task, as far as feedback has shown. Pure.

The operator's ranking decides until experience contradicts it: a member moves in front of another only if it is better
with a probability of 90 %.
"""

import math
import random
from collections.abc import Iterable, Sequence

from runtime.frozen import frozen
from synth.feedback.beta import Beta, probability_above

CREDIBLE = 0.9
"""The probability from which a difference counts."""

HALF_LIFE_S = 30 * 86_400.0
"""After this time an observation counts half: providers change their models every few months."""

EXPLORE = 0.25
"""The share of requests in which the member that goes first is drawn by its chance to be the best (`learn: on`)."""

_MIN_SEEN = 5.0  # observations of each of two members: below, the prior would decide
_SURELY_OPEN = 0.7  # deviations between two means: up to here no difference is credible, in one comparison or two

# Two rates are compared, and both are fair: for every member they are over the same requests, or over requests drawn
# at random. A member's rate over all judged answers is not fair. Members that are ranked lower are judged only if they
# agree with the answer, which they do most often when all are right, so they seem better than they are.
_COMPARED = ("tested", "front")

CountKey = tuple[str, str, str]  # scope, member, name of the count


@frozen
class Count:
    """A count of feedback: `n` were counted in all, `weight` of them are left after decay."""

    scope: str
    member: str
    name: str
    weight: float
    n: int = 0


@frozen
class Arrangement:
    """The order of a panel's members by trust. `is_exploring` if a member that is little known was put first."""

    order: tuple[str, ...]
    is_exploring: bool = False


def name_scope(mixture: str, kind: str) -> str:
    """Return the name under which a mixture's feedback on a kind of task is counted."""
    return f"{mixture} {kind}"


def split_scope(scope: str) -> tuple[str, str]:
    """Return the mixture and the kind of task of a scope."""
    mixture, *kind = scope.rsplit(" ", 3)
    return mixture, " ".join(kind)


def decay(weight: float, age_s: float) -> float:
    """Return a weight after some time: half of it after HALF_LIFE_S."""
    return weight * math.exp2(-max(0.0, age_s) / HALF_LIFE_S)


class Trust:
    """Compares members by the counts of feedback. Immutable: new counts make a new one, so it may cache results."""

    def __init__(self, counts: Iterable[Count] = ()) -> None:
        self._weights: dict[CountKey, float] = {(each.scope, each.member, each.name): each.weight for each in counts}
        self._orders: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        self._scopes = frozenset(scope for scope, _, _ in self._weights)

    @property
    def has_any(self) -> bool:
        """Whether anything was counted at all."""
        return bool(self._scopes)

    def rate(self, scope: str, member: str, name: str) -> Beta:
        """Return the posterior of a member's rate: `tested` by evidence, or right when it was in `front`."""
        right, wrong = (self._weights.get((scope, member, f"{name}_{end}"), 0.0) for end in ("right", "wrong"))
        return Beta(max(0.0, right), max(0.0, wrong))

    def compare(self, scope: str, one: str, other: str) -> float:
        """Return the probability that one member is better than another at a kind of task, 0.5 if nothing is known.

        It combines two independent comparisons, one over answers that were tested and one over answers that were
        chosen by their rank, with even odds before either.
        """
        pairs = [(self.rate(scope, one, name), self.rate(scope, other, name)) for name in _COMPARED]
        known = [(a, b) for a, b in pairs if min(a.right + a.wrong, b.right + b.wrong) >= _MIN_SEEN]
        if all(abs(a.mean - b.mean) < _SURELY_OPEN * (a.deviation + b.deviation) / 2 for a, b in known):
            return 0.5
        above = below = 1.0
        for a, b in known:
            probability = probability_above(a, b)
            above, below = above * probability, below * (1.0 - probability)
        return above / (above + below) if above + below else 0.5

    def order(self, scope: str, members: Sequence[str]) -> tuple[str, ...]:
        """Return the members, best first: the given order, in which a credibly better one moves in front of a worse."""
        if scope not in self._scopes:
            return tuple(members)
        key = (scope, tuple(members))
        if key not in self._orders:
            self._orders[key] = tuple(self._sort(scope, list(members)))
        return self._orders[key]

    def arrange(self, scope: str, members: Sequence[str], rng: random.Random) -> Arrangement:
        """Return the order to ask by: that of trust, or sometimes one with a little-known member in front."""
        # A member that never goes first is never judged on its own, so without this an operator's mistake would stay
        # forever. Thompson sampling (Biometrika 25, 1933) tries a member as often as it may be the best: hardly ever
        # one that is known to be worse, and none once the first is known to be the best.
        order = self.order(scope, members)
        if len(order) < 2 or rng.random() >= EXPLORE:  # noqa: PLR2004 -- one has no order
            return Arrangement(order)
        drawn = max(order, key=lambda member: self._draw_rate(scope, member, rng))
        return Arrangement((drawn, *(each for each in order if each != drawn)), is_exploring=drawn != order[0])

    def _draw_rate(self, scope: str, member: str, rng: random.Random) -> float:
        rates = [self.rate(scope, member, name) for name in _COMPARED]
        return rng.betavariate(1.0 + sum(each.right for each in rates), 1.0 + sum(each.wrong for each in rates))

    def _sort(self, scope: str, left: list[str]) -> list[str]:
        """Sort by choosing the first of those that are left, again and again."""
        # A member replaces the operator's first only if it is credibly better; among several such members, the same
        # rule holds. So a member without feedback keeps its place, and overtakes no other. The relation need not be
        # transitive, so no member is considered twice.
        order = []
        while left:
            first, seen = left[0], {left[0]}
            while better := [each for each in left if each not in seen and self._is_better(scope, each, first)]:
                first = better[0]
                seen.add(first)
            order.append(first)
            left = [each for each in left if each != first]
        return order

    def _is_better(self, scope: str, one: str, other: str) -> bool:
        return self.compare(scope, one, other) >= CREDIBLE
