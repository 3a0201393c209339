"""Recommendations about the members of a panel, in words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.statistics import wilson
from handlers.ui.digest import digest_trace
from handlers.ui.models.recommendations import MIN_REQUESTS, Recommendation, percent, rate_interval, recommend
from handlers.ui.models.statistics import compute_statistics
from tests.handlers.ui.documents import answer, as_trace, call, candidate, document, failure

ONE, TWO = "one answer of many words indeed", "quite another text than the first one"


def judged(*traces: dict[str, Any]) -> dict[str, Recommendation]:
    return recommend(compute_statistics(digest_trace(as_trace(each)) for each in traces).mixtures[0])


def chosen(author: str, text: str, *, slow_s: float = 1.0) -> dict[str, Any]:
    candidates = [candidate("a", ONE), candidate("b", TWO)]
    return document(
        candidates=candidates, answers=[answer(author, text, "chosen")], calls=[call("a", 1.0), call("b", slow_s)]
    )


def test_a_member_that_never_matters_could_be_dropped() -> None:
    """The sentence has the facts: how often it was chosen, the text that would be lost, the time that it cost."""
    found = judged(*[chosen("a", ONE, slow_s=4.2)] * 40)
    assert found["b"] == Recommendation(
        "droppable",
        "Over 40 requests: chosen 0 of 40, 0 % of the answers' text is only in it, in 0 of 40 that is 10 % of the "
        "answer or more, and the panel waited 3.2 s a request for it.",
    )
    assert found["a"].kind == "worth it"
    assert "waited" not in found["a"].sentence


def test_few_requests_settle_nothing() -> None:
    """Below the minimum there is no recommendation; above it only what is certain."""
    few = judged(*[chosen("a", ONE)] * (MIN_REQUESTS - 1))
    assert few["b"] == Recommendation("too few", "Too few requests to tell: 19 of at least 20.")
    assert judged(*[chosen("a", ONE)] * MIN_REQUESTS)["b"].kind == "open"
    assert judged(*[chosen("a", ONE)] * 38, *[chosen("b", TWO)] * 2)["b"].kind == "open"


def test_requests_without_an_answer_of_the_panel_do_not_count() -> None:
    """In any number."""
    failed = document(failures=[failure("a"), failure("b")], outcome="failed")
    assert judged(*[failed] * 100)["a"].sentence == "Too few requests to tell: 0 of at least 20."


def test_the_only_member_cannot_be_dropped() -> None:
    """So there is no recommendation."""
    alone = document(candidates=[candidate("a", ONE)], answers=[answer("a", ONE, "only_candidate")])
    assert judged(*[alone] * 50)["a"].kind == "alone"


def test_failures_are_among_the_facts() -> None:
    """Without unchanged candidates, choosing is not mentioned."""
    fused = document(candidates=[candidate("a", ONE)], failures=[failure("b")], answers=[answer("c", ONE)])
    assert judged(*[fused] * 40)["b"].sentence == (
        "Over 40 requests: 0 % of the answers' text is only in it, in 0 of 40 that is 10 % of the answer or more, "
        "and it gave no candidate 40 times."
    )


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_equals_that_of_the_evaluation(k: int, more: int) -> None:
    """The pages and the evaluation use the same statistics."""
    assert rate_interval(k, k + more) == pytest.approx(wilson(k, k + more), abs=1e-4)


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_contains_its_rate(k: int, more: int) -> None:
    """Within 0 to 1, and narrower with more requests."""
    n = k + more
    low, high = rate_interval(k, n)
    assert 0 <= low <= (k / n if n else 0.5) <= high <= 1
    wide_low, wide_high = rate_interval(k, n)
    low, high = rate_interval(4 * k, 4 * n)
    assert high - low <= wide_high - wide_low


@pytest.mark.parametrize(
    ("part", "text"),
    [(None, "unknown"), (0, "0 %"), (0.001, "under 1 %"), (0.5, "50 %"), (0.999, "over 99 %"), (1, "100 %")],
)
def test_only_nothing_is_zero_and_only_all_is_a_hundred(part: float | None, text: str) -> None:
    """Rounding never gives 0 % or 100 %."""
    assert percent(part) == text
