"""The order of a panel by trust."""

import random

import pytest

from synth.feedback.trust import CREDIBLE, EXPLORE, HALF_LIFE_S, Count, Trust, decay, name_scope, split_scope

SCOPE = name_scope("mom", "edits python chat")
PANEL = ("a", "b", "c")


def trust(*counted: tuple[str, str, int, int]) -> Trust:
    """Return the trust that follows from counts: member, name, how many were right, how many wrong."""
    return Trust(
        Count(SCOPE, member, f"{name}_{end}", amount)
        for member, name, right, wrong in counted
        for end, amount in (("right", right), ("wrong", wrong))
    )


def test_without_feedback_the_order_stays() -> None:
    """Without feedback the operator's ranking stays."""
    assert Trust().order(SCOPE, PANEL) == PANEL
    assert not Trust().has_any
    assert Trust().compare(SCOPE, "a", "b") == 0.5


@pytest.mark.parametrize("name", ["tested", "front"])
def test_a_credibly_better_member_moves_in_front(name: str) -> None:
    """Both kinds of fair counts may move a member."""
    known = trust(("a", name, 10, 30), ("b", name, 30, 10))
    assert known.compare(SCOPE, "b", "a") >= CREDIBLE
    assert known.order(SCOPE, PANEL) == ("b", "a", "c")


def test_a_difference_that_may_be_chance_moves_no_member() -> None:
    """Six of ten against five of ten is no reason to contradict the operator."""
    assert trust(("a", "front", 5, 5), ("b", "front", 6, 4)).order(SCOPE, PANEL) == PANEL


def test_a_prior_decides_nothing() -> None:
    """A member with hardly any observations overtakes no other, however bad the first one is."""
    assert trust(("a", "front", 0, 40), ("b", "front", 4, 0)).order(SCOPE, PANEL) == PANEL


def test_counts_of_all_answers_do_not_count() -> None:
    """A lower-ranked member is judged if it agrees, which flatters it: such counts change no order."""
    assert trust(("a", "front", 50, 50), ("b", "", 90, 10)).order(SCOPE, PANEL) == PANEL
    flattered = Trust([Count(SCOPE, "b", "right", 90), Count(SCOPE, "a", "wrong", 90)])
    assert flattered.order(SCOPE, PANEL) == PANEL


def test_two_weak_comparisons_may_agree() -> None:
    """Neither comparison is credible by itself, and both together are."""
    each = (("a", "tested", 10, 10), ("b", "tested", 13, 7)), (("a", "front", 10, 10), ("b", "front", 13, 7))
    assert [trust(*counts).compare(SCOPE, "b", "a") < CREDIBLE for counts in each] == [True, True]
    assert trust(*each[0], *each[1]).compare(SCOPE, "b", "a") >= CREDIBLE


def test_the_best_of_several_leads() -> None:
    """The order among the better ones is again the operator's, unless that is credibly wrong too."""
    assert trust(("a", "tested", 5, 45), ("b", "tested", 25, 25), ("c", "tested", 45, 5)).order(SCOPE, PANEL) == (
        "c",
        "b",
        "a",
    )
    assert trust(("a", "tested", 5, 45), ("c", "tested", 45, 5)).order(SCOPE, PANEL) == ("c", "a", "b")


def test_scopes_are_apart() -> None:
    """Counts of one kind of task do not affect another."""
    known = trust(("a", "front", 10, 30), ("b", "front", 30, 10))
    assert known.order(name_scope("mom", "plain - chat"), PANEL) == PANEL
    assert split_scope(name_scope("my mix", "edits - chat")) == ("my mix", "edits - chat")


def test_exploration_tries_who_may_be_the_best() -> None:
    """Some requests go to a member that is little known, and hardly any to one that is known to be worse."""
    rng = random.Random(1)
    unsure = trust(("a", "front", 12, 8), ("b", "front", 0, 60))
    fronts = [unsure.arrange(SCOPE, PANEL, rng) for _ in range(4_000)]
    tried = {name: sum(each.order[0] == name for each in fronts) / len(fronts) for name in PANEL}
    assert 0.02 < tried["c"] < EXPLORE
    assert tried["b"] < 0.002
    assert all(each.is_exploring == (each.order[0] != "a") for each in fronts)
    assert all(sorted(each.order) == sorted(PANEL) for each in fronts)


def test_no_other_member_is_tried_beside_a_sure_best() -> None:
    """Once the best member is known, it goes first in practice always."""
    sure = trust(("a", "front", 190, 10), ("b", "front", 20, 20), ("c", "front", 20, 20))
    rng = random.Random(1)
    assert sum(sure.arrange(SCOPE, PANEL, rng).is_exploring for _ in range(2_000)) < 5


def test_half_of_a_weight_is_left_after_the_half_life() -> None:
    """Observations fade; a clock that goes back changes nothing."""
    assert decay(8, HALF_LIFE_S) == 4
    assert decay(8, -100) == 8


def test_a_circle_ends() -> None:
    """Comparisons that contradict each other still give an order of all members."""

    class Circle(Trust):
        def compare(self, scope: str, one: str, other: str) -> float:  # noqa: ARG002 -- the interface
            return 0.95 if (one, other) in {("b", "a"), ("c", "b"), ("a", "c")} else 0.05

    assert sorted(Circle([Count(SCOPE, "a", "right", 1)]).order(SCOPE, PANEL)) == sorted(PANEL)
