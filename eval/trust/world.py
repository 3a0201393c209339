"""Panels with known success rates, and the feedback on their answers: late, seldom, sometimes wrong. Pure."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from synth.feedback.verdict import Verdict

Attempt = tuple[bool, int]
"""One member's candidate: whether it is right, and its outcome; candidates with equal outcomes are the same."""

_RIGHT_OUTCOME = 0


@dataclass(frozen=True, slots=True)
class Task:
    """One request: its kind, and what each member answers. The order of the panel decides if the outcomes differ."""

    kind: str
    attempts: Mapping[str, Attempt]


@dataclass(frozen=True, slots=True)
class Feedback:
    """How feedback comes: `reported` is the chance that a right (wrong) answer is judged, `noise` that of the opposite.

    It comes after `mean_delay` further requests on average, by a geometric distribution.
    """

    reported: tuple[float, float] = (0.4, 0.6)
    noise: float = 0.05
    mean_delay: float = 20.0

    def draw(self, *, is_right: bool, rng: random.Random) -> tuple[int, Verdict] | None:
        """Return the delay and the verdict on an answer, or None without feedback."""
        if rng.random() >= self.reported[0 if is_right else 1]:
            return None
        said = is_right != (rng.random() < self.noise)
        delay = 1
        while rng.random() > 1.0 / self.mean_delay:
            delay += 1
        return delay, Verdict.RIGHT if said else Verdict.WRONG


@dataclass(frozen=True, slots=True)
class World:
    """Members by their chance to be right at each kind of task, the shares of the kinds, and how alike members are.

    `agreement` is the chance that two right candidates are the same, `copies` that a wrong one repeats the first wrong
    one before it.
    """

    rates: Mapping[str, Mapping[str, float]]
    shares: Mapping[str, float]
    agreement: float = 0.6
    copies: float = 0.15

    def draw(self, rng: random.Random) -> Task:
        """Return the next request."""
        (kind,) = rng.choices(list(self.shares), list(self.shares.values()))
        attempts: dict[str, Attempt] = {}
        for number, (member, rate) in enumerate(self.rates[kind].items(), start=1):
            is_right = rng.random() < rate
            outcome = number
            if is_right and rng.random() < self.agreement:
                outcome = _RIGHT_OUTCOME
            elif not is_right and rng.random() < self.copies:
                outcome = next((each for right, each in attempts.values() if not right), number)
            attempts[member] = (is_right, outcome)
        return Task(kind, attempts)


def repeat_shuffled(tasks: Sequence[Task], n: int, rng: random.Random) -> Iterator[Task]:
    """Yield n tasks: all in random order, then all again in another one."""
    left: list[Task] = []
    for _ in range(n):
        if not left:
            left = rng.sample(list(tasks), len(tasks))
        yield left.pop()
