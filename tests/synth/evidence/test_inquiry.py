"""The interface between the pipeline and evidence: rankings, and finders that keep to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sandbox.monty import MontySandbox
from synth.contract.contract import derive_contract
from synth.evidence.finder import Finder
from synth.evidence.inquiry import EvidenceFinder, Ranking, Standing, Subject
from synth.request import ChatRequest
from tests.runtime.sandbox.boxes import PATIENT
from tests.synth.small_evidence import SmallEvidence, code, open_inquiry

ASK = 'Write `f`.\n\n```python\ndef f(n):\n    """\n    >>> f(2)\n    4\n    """\n```'


@given(st.lists(st.booleans()))
def test_a_ranking_counts_passing_candidates(passed: list[bool]) -> None:
    """In any tier."""
    standings = tuple(Standing(str(n), passed_all=each) for n, each in enumerate(passed))
    assert Ranking(standings).n_passed == sum(passed)


@given(st.lists(st.integers(0, 3)))
def test_a_candidate_without_a_standing_is_in_the_worst_tier(tiers: list[int]) -> None:
    """Beside the worst, not behind it, because its behaviour is unknown."""
    ranking = Ranking(tuple(Standing(f"m{n}", tier, finding="seen") for n, tier in enumerate(tiers)))
    assert ranking.standing("late") == Standing("late", max(tiers, default=0))
    assert [ranking.standing(f"m{n}").tier for n in range(len(tiers))] == tiers


def test_an_unknown_is_no_failure() -> None:
    """A standing without a finding has neither failed nor passed anything."""
    standing = Standing("a")
    assert (standing.failed, standing.passed_all, standing.tier) == (None, False, 0)


@pytest.mark.parametrize("kind", ["sandboxes", "small"])
async def test_a_finder_ranks_added_candidates(kind: str) -> None:
    """Each implementation: standings in the order of the candidates, the one that passes first."""
    monty = MontySandbox(wait_s=60)
    finder: EvidenceFinder = (
        Finder([monty], limits=PATIENT, request_s=600) if kind == "sandboxes" else SmallEvidence({2: 4})
    )
    request = ChatRequest(None, [{"role": "user", "content": ASK}], {})
    try:
        async with open_inquiry(finder.inquire(request, derive_contract(request), "auto", 1e12)) as inquiry:
            assert await inquiry.can_rank()
            for name, body in (("wrong", "n"), ("right", "n * n")):
                inquiry.add(Subject(name, name, code(body), body))
            ranking = await inquiry.rank(["right", "wrong"])
    finally:
        await monty.close()
    assert [standing.name for standing in ranking.standings] == ["wrong", "right"]
    assert (ranking.standing("right").tier, ranking.standing("wrong").tier) == (0, 1)
    assert (ranking.by, ranking.n_ran, ranking.n_passed) == ("examples", 2, 1)
    assert ranking.standing("wrong").failed
