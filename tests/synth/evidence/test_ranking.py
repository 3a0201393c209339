"""Alive before dead, examples before agreement, votes by model, and the unknown never behind."""

from hypothesis import given
from hypothesis import strategies as st

from runtime.sandbox.trials import LOADED
from synth.evidence.behaviour import NOTHING, Behaviour, Checked, Result
from synth.evidence.ranking import AGREEMENT, ALIVE, CHECKER, EXAMPLES, Tiers, rank

P, F, U = Result.PASSED, Result.FAILED, Result.UNKNOWN


def did(*results: Result, values: str = "", dead: bool = False) -> Behaviour:
    """Make a behaviour; in `values` each letter is a value, "-" none."""
    return Behaviour(LOADED, results, (), tuple(None if each == "-" else each for each in values), dead)


def tiers(*behaviours: Behaviour, voters: str = "") -> Tiers:
    return rank(behaviours, voters or "a" * len(behaviours))


def test_without_observations_there_is_one_tier() -> None:
    """Then the operator's ranking decides."""
    assert tiers(NOTHING, NOTHING) == Tiers((0, 0))
    assert tiers() == Tiers(())


def test_the_dead_are_last() -> None:
    """A candidate that does not load is behind one that was not run; if all are dead, this changes nothing."""
    assert tiers(did(dead=True), NOTHING, did(dead=True)) == Tiers((1, 0, 1), ALIVE)
    assert tiers(did(dead=True), did(dead=True)) == Tiers((0, 0))


def test_more_examples_are_better() -> None:
    assert tiers(did(P, F, F), did(P, P, P), did(P, P, F)) == Tiers((2, 0, 1), EXAMPLES)
    assert tiers(did(F, F), did(F, F)) == Tiers((0, 0))


def test_examples_rank_and_do_not_veto() -> None:
    """If all fail the same wrong example, it changes nothing."""
    assert tiers(did(P, F), did(P, F)) == Tiers((0, 0))


def test_an_unknown_is_no_failure() -> None:
    """It is behind only those candidates that it cannot surpass."""
    assert tiers(did(U, U), did(P, F)) == Tiers((0, 0))
    assert tiers(did(U, U), did(P, P)) == Tiers((1, 0), EXAMPLES)
    assert tiers(did(U, U), did(F, F)) == Tiers((0, 1), EXAMPLES)
    assert tiers(did(P, U), did(P, F)) == Tiers((0, 1), EXAMPLES)
    assert tiers(NOTHING, did(P, F)) == Tiers((0, 0))
    assert tiers(NOTHING, did(P, P)) == Tiers((1, 0), EXAMPLES)


def test_agreement_separates_equals() -> None:
    """Two that agree beat one that does not; exceptions agree with nothing."""
    assert tiers(did(values="xy"), did(values="xz"), did(values="xz")) == Tiers((1, 0, 0), AGREEMENT)
    assert tiers(did(values="--"), did(values="--")) == Tiers((0, 0))
    assert tiers(did(values="ab"), did(values="cd")) == Tiers((0, 0))


def test_examples_come_before_agreement() -> None:
    assert tiers(did(F, values="x"), did(F, values="x"), did(P, values="y")) == Tiers((1, 1, 0), EXAMPLES)


def test_a_model_has_one_vote() -> None:
    """Three samples of a weaker model do not outvote the best one; two other models that agree do."""
    best, other = did(values="x"), did(values="y")
    assert tiers(best, other, other, other, voters="abbb") == Tiers((0, 1, 1, 1), AGREEMENT)
    assert tiers(best, other, other, voters="abc") == Tiers((1, 0, 0), AGREEMENT)


def test_a_candidate_without_values_is_not_outvoted() -> None:
    """Agreement is not asked if one of the best could not be compared."""
    assert tiers(NOTHING, did(values="x"), did(values="x")) == Tiers((0, 0, 0))


def checked(passed: bool | None, n_failed: int | None = None, *results: Result) -> Behaviour:
    return Behaviour(LOADED, results, checked=Checked(passed, n_failed))


def test_the_checker_comes_before_examples() -> None:
    """Passing, then fewer failing tests, then the examples; an unknown result does not count against a candidate."""
    assert tiers(checked(False, 1, P), checked(True, None, F)) == Tiers((1, 0), CHECKER)
    assert tiers(checked(False, 3), checked(False, 1), checked(False)) == Tiers((1, 0, 1), CHECKER)
    assert tiers(checked(None), checked(False, 1)) == Tiers((0, 0))
    assert tiers(checked(None), checked(True)) == Tiers((1, 0), CHECKER)
    assert tiers(checked(True, None, F), checked(True, None, P)) == Tiers((1, 0), EXAMPLES)
    assert tiers(NOTHING, checked(True)) == Tiers((1, 0), CHECKER)


BEHAVIOURS = st.lists(
    st.builds(
        lambda results, values, dead: Behaviour(LOADED, tuple(results), (), tuple(values), dead),
        st.lists(st.sampled_from([P, F, U]), min_size=3, max_size=3),
        st.lists(st.none() | st.sampled_from("xy"), min_size=2, max_size=2),
        st.booleans(),
    ),
    max_size=6,
)


@given(BEHAVIOURS, st.data())
def test_a_ranking_is_sound(behaviours: list[Behaviour], data: st.DataObject) -> None:
    """Tiers have no gap, the best is not empty, no better candidate is behind a worse one, and a signal is named."""
    voters = data.draw(st.lists(st.sampled_from("abc"), min_size=len(behaviours), max_size=len(behaviours)))
    found = rank(behaviours, voters)
    assert sorted(set(found.tiers)) == list(range(len(set(found.tiers))))
    assert bool(found.by) == (len(set(found.tiers)) > 1)
    for one, tier in zip(behaviours, found.tiers, strict=True):
        for other, other_tier in zip(behaviours, found.tiers, strict=True):
            if not one.is_dead and not other.is_dead and one.n_passed > other.n_passed + other.n_unknown:
                assert tier < other_tier
            if not one.is_dead and other.is_dead:
                assert tier < other_tier


@given(BEHAVIOURS)
def test_equal_behaviour_is_an_equal_tier(behaviours: list[Behaviour]) -> None:
    """Candidates of one model with the same behaviour are equal, so the operator's ranking decides."""
    found = rank([*behaviours, *behaviours], ["a"] * (2 * len(behaviours)))
    assert found.tiers[: len(behaviours)] == found.tiers[len(behaviours) :]
