"""Sums over the kept traces."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from handlers.ui.digest import digest_trace
from handlers.ui.models.statistics import (
    LATENCY_EDGES_S,
    MemberStatistics,
    Statistics,
    compute_statistics,
    measure_latency,
)
from tests.handlers.ui.documents import answer, as_trace, call, candidate, document, failure

NAMES, KINDS = st.sampled_from(["a", "b#1", "b#2"]), st.sampled_from(["timeout", "straggler", "left_out"])
TEXTS = st.lists(st.sampled_from(["one", "two", "three"]), max_size=12).map(" ".join)
CALLS = st.builds(
    call,
    NAMES,
    st.none() | st.floats(0, 500),
    role=st.sampled_from(["proposer", "critic"]),
    outcome=st.sampled_from(["ok", "timeout", "cancelled"]),
    cost=st.none() | st.floats(0, 9),
    prompt_tokens=st.integers(0, 10**6),
)
DOCUMENTS = st.lists(
    st.builds(
        document,
        candidates=st.lists(st.builds(candidate, NAMES, TEXTS, finding=st.none() | st.text(max_size=3)), max_size=4),
        failures=st.lists(st.builds(failure, NAMES, KINDS), max_size=2),
        answers=st.lists(st.builds(answer, NAMES, TEXTS, st.sampled_from(["critic", "chosen", "model"])), max_size=2),
        calls=st.lists(CALLS, max_size=5),
        mixture=st.sampled_from(["mom", "quick", None]),
        outcome=st.sampled_from(["ok", "failed", "cancelled"]),
    ),
    max_size=8,
)


def counted(*documents: dict[str, Any]) -> Statistics:
    return compute_statistics(digest_trace(as_trace(each)) for each in documents)


def member(found: Statistics, name: str) -> MemberStatistics:
    return next(each for each in found.mixtures[0].members if each.name == name)


@given(DOCUMENTS)
def test_shares_are_shares_and_sums_are_sums(documents: list[dict[str, Any]]) -> None:
    """Nothing is counted twice or lost: models and mixtures are two views of the same calls."""
    found = counted(*documents)
    calls = [each for trace in documents for each in trace["calls"]]
    assert found.n_requests == len(documents)
    assert sum(mixture.n_requests for mixture in found.mixtures) == sum(bool(trace["mixture"]) for trace in documents)
    assert sum(model.usage.n_calls for model in found.models) == len(calls)
    assert sum(model.usage.prompt_tokens for model in found.models) == sum(each["prompt_tokens"] for each in calls)
    assert sum(model.usage.n_unpriced for model in found.models) == sum(each["cost"] is None for each in calls)
    for model in found.models:
        assert model.outcomes.total() == model.roles.total() == model.usage.n_calls
    for mixture in found.mixtures:
        assert mixture.outcomes.total() == mixture.n_requests
        assert sum(each.usage.n_calls for each in mixture.members) <= mixture.usage.n_calls
        for each in mixture.members:
            check(each)


def check(member: MemberStatistics) -> None:
    for part in (member.survival, member.unique_survival, member.validity):
        assert part is None or 0 <= part <= 1
    assert (member.survival is None) == (member.unique_survival is None) == (member.n_judged == 0)
    assert (member.unique_survival or 0) <= (member.survival or 0)
    assert member.n_mattered <= member.n_judged <= member.n_requests
    assert member.n_chosen <= member.n_standing
    assert (member.held_s > 0) == (member.n_held > 0)


@given(st.lists(st.floats(0, 1000), min_size=1))
def test_a_distribution_counts_every_value(seconds: list[float]) -> None:
    """The percentiles are measured values, and split the values as they should."""
    found = measure_latency(seconds)
    assert found is not None
    assert found.n == sum(found.bins) == len(seconds)
    assert len(found.bins) == len(LATENCY_EDGES_S) + 1
    assert found.p50_s in seconds
    assert found.p95_s in seconds
    assert sum(each <= found.p50_s for each in seconds) >= len(seconds) / 2
    assert sum(each > found.p95_s for each in seconds) <= len(seconds) * 0.05


def test_no_values_have_no_distribution() -> None:
    """Rather than one of zero seconds."""
    assert measure_latency([]) is None


def test_a_value_at_an_edge_is_in_the_bin_below_it() -> None:
    """As its label `up to` says."""
    found = measure_latency([0.1, 0.11, 1000.0])
    assert found is not None
    assert (found.bins[0], found.bins[1], found.bins[-1]) == (1, 1, 1)


def test_unknown_prices_are_counted_beside_the_known_ones() -> None:
    """Exactly, and by currency."""
    euro = document(calls=[call("a", cost=0.1), call("a", cost=0.2)], ledger={"currency": "EUR"})
    found = counted(euro, document(calls=[call("a", cost=None), call("a", cost=1.0)]))
    usage = found.models[0].usage
    assert usage.cost == {"EUR": Decimal("0.3"), "USD": Decimal("1.0")}
    assert (usage.n_calls, usage.n_unpriced) == (4, 1)


def test_cancelled_requests_count_only_in_usage() -> None:
    """A member that was still at work has not failed."""
    gone = document(calls=[call("a", outcome="cancelled"), call("b", 5.0)], outcome="cancelled", mixture="mom")
    found = member(counted(gone), "a")
    assert (found.n_requests, found.failures.total(), found.n_held) == (0, 0, 0)
    assert found.usage.n_calls == 1


def test_only_answers_from_candidates_count_for_a_member() -> None:
    """A failed request, or one that the critic answered alone, counts as asked only."""
    failed = document(failures=[failure("a"), failure("b")], outcome="failed", error={"code": "upstream_error"})
    alone = document(failures=[failure("a"), failure("b")], answers=[answer("c", "words", "critic_alone")])
    fused = document(candidates=[candidate("a", "some words")], failures=[failure("b")], answers=[answer("c", "words")])
    found = counted(failed, alone, fused)
    assert found.mixtures[0].outcomes == {"upstream_error": 1, "ok": 2}
    assert found.mixtures[0].decided_by == {"critic_alone": 1, "critic": 1}
    assert (member(found, "b").n_requests, member(found, "b").n_judged) == (3, 1)
    assert member(found, "b").failures == {"timeout": 3}


def test_the_busiest_come_first_and_the_panel_keeps_its_order() -> None:
    """Samples are separate members, and calls of one model."""
    samples = document(calls=[call("z"), call("q#1"), call("q#2")], mixture="small")
    found = counted(samples, document(calls=[call("b"), call("a")]), document(calls=[call("b"), call("a")]))
    assert [each.name for each in found.mixtures] == ["mom", "small"]
    assert [each.name for each in found.mixtures[1].members] == ["z", "q#1", "q#2"]
    assert {each.name: each.usage.n_calls for each in found.models} == {"q": 2, "a": 2, "b": 2, "z": 1}


def test_failed_calls_do_not_count_in_the_latency() -> None:
    """A fast refusal is not a fast answer."""
    found = counted(document(calls=[call("a", 4.0), call("a", 0.001, outcome="rate_limited"), call("a", None)]))
    distribution = found.models[0].latency
    assert distribution is not None
    assert (distribution.n, distribution.p50_s) == (1, 4.0)
