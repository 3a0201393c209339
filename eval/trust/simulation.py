"""Plays requests against a panel whose order decides: fixed, learnt from feedback, or the true order."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eval.trust.world import Feedback, Task
from synth.feedback.answer_record import AnswerRecord, count_verdict
from synth.feedback.trust import Count, Trust, name_scope

if TYPE_CHECKING:
    from synth.feedback.verdict import Verdict

FIXED, SHADOW, LEARNT = "fixed order", "learnt, without exploring", "learnt"
POLICIES = (FIXED, SHADOW, LEARNT)

_MIXTURE = "mom"


@dataclass(frozen=True, slots=True)
class Course:
    """One run: after each request, how many right answers the policy is behind the oracle; `n_right` in the end."""

    regret: tuple[float, ...]
    n_right: int


def play(
    policy: str, tasks: Iterable[Task], panel: Sequence[str], *, best: Mapping[str, str], feedback: Feedback, seed: int
) -> Course:
    """Play requests in their order. `panel` is the operator's ranking, `best` the oracle's first member by kind.

    A counted answer counts as the gateway counts it, so this measures the gateway's own rules.
    """
    rng = random.Random(seed)  # noqa: S311 -- a simulation
    weights: dict[tuple[str, str, str], float] = defaultdict(float)
    trust, behind, n_right = Trust(), 0, 0
    regret: list[float] = []
    waiting: dict[int, list[tuple[AnswerRecord, Verdict]]] = defaultdict(list)
    for number, task in enumerate(tasks):
        judged = waiting.pop(number, [])
        for record, verdict in judged:
            for (member, name), amount in count_verdict(record, verdict).items():
                weights[name_scope(_MIXTURE, record.kind), member, name] += amount
        if judged and policy != FIXED:
            trust = Trust(Count(scope, member, name, weight) for (scope, member, name), weight in weights.items())
        record, is_right = _answer(task, _order(policy, trust, task, panel, rng))
        n_right += is_right
        behind += task.attempts[best[task.kind]][0] - is_right if record.front else 0
        regret.append(float(behind))
        said = feedback.draw(is_right=is_right, rng=rng)
        if said is not None:
            waiting[number + said[0]].append((record, said[1]))
    return Course(tuple(regret), n_right)


def _order(policy: str, trust: Trust, task: Task, panel: Sequence[str], rng: random.Random) -> Sequence[str]:
    if policy == FIXED:
        return panel
    scope = name_scope(_MIXTURE, task.kind)
    return trust.order(scope, panel) if policy == SHADOW else trust.arrange(scope, panel, rng).order


def _answer(task: Task, order: Sequence[str]) -> tuple[AnswerRecord, bool]:
    """Return the record of an answer by this order, and whether it is right."""
    front = order[0]
    is_right, outcome = task.attempts[front]
    agreed = tuple(each for each in order[1:] if task.attempts[each][1] == outcome)
    differed = tuple(each for each in order[1:] if task.attempts[each][1] != outcome)
    record = AnswerRecord(
        "", _MIXTURE, task.kind, (front,), agreed=agreed, differed=differed, front=front if differed else ""
    )
    return record, is_right
