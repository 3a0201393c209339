"""Playing requests against an order."""

import random

from eval.trust.simulation import FIXED, LEARNT, SHADOW, play
from eval.trust.world import Feedback, Task, World

CERTAIN = Feedback(reported=(1, 1), noise=0, mean_delay=1)
WORLD = World({"k": {"a": 0.4, "b": 0.8}}, {"k": 1.0})


def test_equal_candidates_need_no_order() -> None:
    """If all members give the same answer, no order could have done better."""
    tasks = [Task("k", {"a": (False, 1), "b": (False, 1)})] * 5
    assert play(FIXED, tasks, ("a", "b"), best={"k": "b"}, feedback=CERTAIN, seed=1).regret == (0, 0, 0, 0, 0)


def test_regret_counts_right_answers_of_the_oracle() -> None:
    """A wrong answer in place of a right one costs one, and the other way round."""
    tasks = [Task("k", {"a": (False, 1), "b": (True, 0)}), Task("k", {"a": (True, 0), "b": (False, 2)})]
    course = play(FIXED, tasks, ("a", "b"), best={"k": "b"}, feedback=CERTAIN, seed=1)
    assert (course.regret, course.n_right) == ((1, 0), 1)


def test_a_wrong_order_is_learnt() -> None:
    """The worse member is ranked first: the regret of the fixed order grows on, and that of the learnt one ends."""
    rng = random.Random(1)
    tasks = [WORLD.draw(rng) for _ in range(800)]
    fixed, learnt = (
        play(policy, tasks, ("a", "b"), best={"k": "b"}, feedback=CERTAIN, seed=1) for policy in (FIXED, LEARNT)
    )
    assert learnt.regret[-1] < fixed.regret[-1] / 3
    assert learnt.regret[-1] - learnt.regret[600] < 10


def test_without_exploring_nothing_is_learnt_of_others() -> None:
    """A member that never goes first is never judged, so the order stays."""
    rng = random.Random(1)
    tasks = [WORLD.draw(rng) for _ in range(300)]
    fixed, shadow = (
        play(policy, tasks, ("a", "b"), best={"k": "b"}, feedback=CERTAIN, seed=1) for policy in (FIXED, SHADOW)
    )
    assert shadow.regret == fixed.regret
