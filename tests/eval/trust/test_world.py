"""Simulated panels and their feedback."""

import random

import pytest

from eval.trust.world import Feedback, Task, World, repeat_shuffled
from synth.feedback.verdict import Verdict

WORLD = World({"k": {"a": 0.9, "b": 0.3}}, {"k": 1.0})


def test_members_are_right_as_often_as_they_should_be() -> None:
    """Over many requests each member has its rate."""
    rng = random.Random(1)
    tasks = [WORLD.draw(rng) for _ in range(5_000)]
    for member, rate in WORLD.rates["k"].items():
        assert sum(task.attempts[member][0] for task in tasks) / len(tasks) == pytest.approx(rate, abs=0.03)


def test_a_right_and_a_wrong_candidate_are_never_the_same() -> None:
    """Equal outcomes share their fate."""
    rng = random.Random(1)
    for _ in range(2_000):
        fates: dict[int, bool] = {}
        for is_right, outcome in WORLD.draw(rng).attempts.values():
            assert fates.setdefault(outcome, is_right) == is_right


def test_feedback_is_late_seldom_and_sometimes_wrong() -> None:
    """As often as it says: missing, delayed, and with noise."""
    feedback, rng = Feedback(reported=(0.5, 0.8), noise=0.1, mean_delay=10), random.Random(1)
    drawn = [feedback.draw(is_right=False, rng=rng) for _ in range(5_000)]
    said = [each for each in drawn if each is not None]
    assert len(said) / len(drawn) == pytest.approx(0.8, abs=0.03)
    assert sum(delay for delay, _ in said) / len(said) == pytest.approx(10, rel=0.1)
    assert sum(verdict is Verdict.RIGHT for _, verdict in said) / len(said) == pytest.approx(0.1, abs=0.02)


def test_tasks_are_repeated_in_new_orders() -> None:
    """Each pass has every task once."""
    tasks = [Task(str(number), {}) for number in range(5)]
    found = [task.kind for task in repeat_shuffled(tasks, 10, random.Random(1))]
    assert sorted(found[:5]) == sorted(found[5:]) == ["0", "1", "2", "3", "4"]
