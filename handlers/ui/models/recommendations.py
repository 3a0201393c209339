"""Recommends which member of a panel could be dropped, with the certainty that the numbers allow. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from handlers.ui.digest import MATTERS
from handlers.ui.models.statistics import MemberStatistics, MixtureStatistics

MIN_REQUESTS = 20
_RARELY = 0.1  # of the requests: a member that matters less often could be dropped
_Z = 1.96  # two-sided 95 %
_NOTEWORTHY_S = 0.05

Kind = Literal["droppable", "worth it", "open", "too few", "alone"]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Whether a member could be dropped: the `kind` of advice, and a `sentence` with the facts behind it."""

    kind: Kind
    sentence: str


def recommend(mixture: MixtureStatistics) -> dict[str, Recommendation]:
    """Return the recommendation for each member, by its name. Each is about dropping that member alone."""
    if len(mixture.members) == 1:
        return {member.name: Recommendation("alone", "The panel has no other member.") for member in mixture.members}
    return {member.name: recommend_member(member) for member in mixture.members}


def recommend_member(member: MemberStatistics) -> Recommendation:
    """Return the recommendation for one member of a panel.

    A member matters in a request if a tenth of the answer's text is in its candidates only. It could be dropped if,
    with 95 % certainty, it matters in less than a tenth of the requests, and is worth it if it matters in more.
    """
    n = member.n_judged
    if n < MIN_REQUESTS:
        return Recommendation("too few", f"Too few requests to tell: {n} of at least {MIN_REQUESTS}.")
    low, high = rate_interval(member.n_mattered, n)
    kind: Kind = "droppable" if high < _RARELY else "worth it" if low > _RARELY else "open"
    return Recommendation(kind, f"Over {n} requests: {_join(_facts(member))}.")


def rate_interval(k: int, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of a rate of k in n (Wilson 1927); (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    rate, spread = k / n, _Z * _Z / n
    half = _Z * math.sqrt(rate * (1 - rate) / n + spread / (4 * n))
    low, high = ((rate + spread / 2 + side) / (1 + spread) for side in (-half, half))
    return (0.0 if k == 0 else low), (1.0 if k == n else high)


def percent(part: float | None) -> str:
    """Return a share in percent: `0 %` only for exactly 0, and `100 %` only for exactly 1."""
    if part is None:
        return "unknown"
    whole = round(part * 100)
    if whole == 0 and part > 0:
        return "under 1 %"
    if whole == 100 and part < 1:  # noqa: PLR2004 -- per cent
        return "over 99 %"
    return f"{whole} %"


def _facts(member: MemberStatistics) -> list[str]:
    facts = [f"chosen {member.n_chosen} of {member.n_standing}"] if member.n_standing else []
    facts.append(f"{percent(member.unique_survival)} of the answers' text is only in it")
    facts.append(f"in {member.n_mattered} of {member.n_judged} that is {percent(MATTERS)} of the answer or more")
    if failed := member.failures.total():
        facts.append(f"it gave no candidate {'once' if failed == 1 else f'{failed} times'}")
    waited_s = member.held_s / member.n_requests
    if waited_s >= _NOTEWORTHY_S:
        facts.append(f"the panel waited {waited_s:.1f} s a request for it")
    return facts


def _join(facts: Sequence[str]) -> str:
    return ", and ".join(filter(None, [", ".join(facts[:-1]), facts[-1]]))
