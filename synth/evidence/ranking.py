"""Order candidates by their behaviour: alive, checker, examples, agreement, then the operator's ranking. Pure.

Measured on HumanEval (docs/evaluation.md): examples and being alive lost no item to the best member's own answer.
Examples are sometimes wrong, so they rank and never veto: if every candidate fails them, they are ignored. Agreement
counts models, not samples: otherwise the shared errors of a weak model outvote a better one.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from math import inf

from runtime.frozen import frozen
from synth.evidence.behaviour import Behaviour, Result

ALIVE, CHECKER, EXAMPLES, AGREEMENT = "alive", "checker", "examples", "agreement"

_OTHER_MODELS_VOTE = 0.6  # of the best-ranked model's


@frozen
class Tiers:
    """A tier for each candidate, 0 for the best, and the signal that separates the best tier from the rest."""

    tiers: tuple[int, ...]
    by: str = ""


def rank(behaviours: Sequence[Behaviour], voters: Sequence[Hashable]) -> Tiers:
    """Return the tiers of candidates that are given in the operator's ranking, best first; `voters` are their models.

    Each tier holds the best of the candidates that remain below the tiers above.
    """
    left = list(range(len(behaviours)))
    tiers = [0] * len(behaviours)
    first_by, tier = "", 0
    while left:
        best, by = _best_of(left, behaviours, voters)
        first_by = first_by or (by if tier == 0 else "")
        for index in best:
            tiers[index] = tier
        left = [index for index in left if index not in best]
        tier += 1
    return Tiers(tuple(tiers), first_by if tier > 1 else "")


def _best_of(indices: list[int], behaviours: Sequence[Behaviour], voters: Sequence[Hashable]) -> tuple[list[int], str]:
    by = ""
    alive = [index for index in indices if not behaviours[index].is_dead] or indices
    if len(alive) < len(indices):
        by = ALIVE
    checked = _leave_unbeaten(alive, [_score_checker(each) for each in behaviours])
    if len(checked) < len(alive):
        by = CHECKER
    top = _leave_unbeaten(checked, _score_examples(behaviours))
    if len(top) < len(checked):
        by = EXAMPLES if by in ("", ALIVE) else by
    agreeing = _most_agreed(top, behaviours, voters)
    if len(agreeing) < len(top):
        by = by or AGREEMENT
    return agreeing, by


def _leave_unbeaten(indices: list[int], scores: Sequence[tuple[float, float]]) -> list[int]:
    return [index for index in indices if not any(_beats(scores[other], scores[index]) for other in indices)]


def _score_checker(behaviour: Behaviour) -> tuple[float, float]:
    """Return the range of the checker's score: 1 if it passes, otherwise minus the number of failed tests."""
    checked = behaviour.checked
    if checked is None or checked.passed is None:
        return (-inf, 1)
    if checked.passed:
        return (1, 1)
    return (-inf, -1) if checked.n_failed is None else (-checked.n_failed, -checked.n_failed)


def _score_examples(behaviours: Sequence[Behaviour]) -> list[tuple[float, float]]:
    """Return how many examples each candidate passes at least and at most.

    An unknown result may be a pass or a failure, and so may each of a candidate that was not run at all.
    """
    n_examples = max(len(each.results) for each in behaviours)
    return [(each.n_passed, n_examples - each.results.count(Result.FAILED)) for each in behaviours]


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether one certainly passes at least as many as the other, and does or may pass more; overlaps are equal."""
    return one[0] >= other[1] and (one[0] > other[0] or one[1] > other[1])


def _most_agreed(top: list[int], behaviours: Sequence[Behaviour], voters: Sequence[Hashable]) -> list[int]:
    """Return those whose values most votes share; all if there is only one, or if no value of one of them is known.

    A model's vote is divided among its candidates, so three samples of one have the weight of one answer. Each value
    counts by the share of the votes that gave it; exceptions and unknown values agree with nothing.
    """
    if len(top) < 2:  # noqa: PLR2004 -- it takes two to agree
        return top
    if not all(any(value is not None for value in behaviours[index].values) for index in top):
        return top
    first = voters[0]
    members = Counter(voters[index] for index in top)
    weight = {index: (1.0 if voters[index] == first else _OTHER_MODELS_VOTE) / members[voters[index]] for index in top}
    scores = [_score(index, top, weight, behaviours) for index in top]
    best = max(scores)
    return [index for index, score in zip(top, scores, strict=True) if score > best - 1e-9]


def _score(index: int, top: Sequence[int], weight: dict[int, float], behaviours: Sequence[Behaviour]) -> float:
    values = behaviours[index].values
    return sum(weight[other] * _share_equal(values, behaviours[other].values) for other in top)


def _share_equal(one: Sequence[str | None], other: Sequence[str | None]) -> float:
    pairs = list(zip(one, other, strict=True))
    return sum(a is not None and a == b for a, b in pairs) / len(pairs) if pairs else 0.0
