"""A trace reduced to numbers."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from handlers.traces import schema
from handlers.traces.schema import Trace
from handlers.ui.digest import MemberDigest, RequestDigest, digest_trace, split_authors
from tests.handlers.ui.documents import answer, as_trace, call, candidate, document, failure

ONE, TWO = "one answer of many words indeed", "quite another text than the first one"

_NAMES = st.sampled_from(["", "a", "b", "critic"])
_TEXTS = st.sampled_from(["", "one two three", ONE, TWO])
_NUMBERS = st.none() | st.floats() | st.integers(0, 10**6)
_CANDIDATES = st.builds(
    schema.Candidate,
    model=_NAMES,
    text=_TEXTS,
    finding=st.sampled_from([UNSET, None, "broken"]),
    finish_reason=st.sampled_from([None, "stop", "length"]),
    tool_calls=st.none() | st.lists(st.sampled_from([None, 3, {"function": 3}, {"function": {"name": ONE}}])),
)
_ANSWERS = st.builds(
    schema.Answer,
    text=_TEXTS,
    author=st.sampled_from(["", "a", "a+b", "c"]),
    decided_by=st.sampled_from(["", "critic", "chosen", "equal_candidates", "model", "of a later version"]),
)
_CALLS = st.builds(
    schema.Call,
    role=st.sampled_from(["", "proposer"]),
    model=_NAMES,
    started_s=_NUMBERS,
    ended_s=_NUMBERS,
    cost=_NUMBERS,
)
_TRACES = st.builds(
    Trace,
    id=st.just("chatcmpl-1"),
    outcome=st.sampled_from(["", "ok", "failed", "cancelled"]),
    candidates=st.lists(_CANDIDATES, max_size=4),
    failures=st.lists(
        st.builds(schema.ProposerFailure, model=_NAMES, kind=st.sampled_from(["", "timeout"])), max_size=2
    ),
    answers=st.lists(_ANSWERS, max_size=3),
    calls=st.lists(_CALLS, max_size=4),
    error=st.none() | st.just({"code": 3}) | st.just({}),
)


def digest(trace: dict[str, Any]) -> RequestDigest:
    return digest_trace(as_trace(trace))


def member(trace: dict[str, Any], name: str = "a") -> MemberDigest:
    return next(each for each in digest(trace).members if each.name == name)


@given(_TRACES)
def test_the_numbers_are_consistent_for_every_trace(trace: Trace) -> None:
    """Empty fields, NaN and unknown words are counted or left out, and never break the order of the numbers."""
    read = digest_trace(trace)
    for each in read.members:
        assert 0 <= each.unique <= each.found <= read.n_shingles
        assert each.n_valid <= each.n_checked <= each.n_candidates
        assert each.n_chosen <= read.n_standing
        assert each.held_s >= 0
    assert all(call.seconds is None or call.seconds >= 0 for call in read.calls)


def test_a_chosen_candidate_is_all_of_the_answer() -> None:
    """It is chosen, all of the answer is unique to it, and it mattered."""
    trace = document(candidates=[candidate("a", ONE), candidate("b", TWO)], answers=[answer("a", ONE, "chosen")])
    assert (member(trace).n_chosen, member(trace, "b").n_chosen, digest(trace).n_standing) == (1, 0, 1)
    assert member(trace).unique == member(trace).found == digest(trace).n_shingles > 0
    assert (member(trace).mattered, member(trace, "b").mattered) == (True, False)


def test_a_critic_on_the_panel_has_not_chosen_itself() -> None:
    """The answer that it wrote is not its candidate."""
    trace = document(candidates=[candidate("a", ONE), candidate("b", TWO)], answers=[answer("a", TWO, "critic")])
    assert (member(trace).n_chosen, digest(trace).n_standing) == (0, 0)
    assert (member(trace).found, member(trace, "b").mattered) == (0, True)


@pytest.mark.parametrize("decided_by", ["critic_alone", "bypass", "model"])
def test_answers_made_without_candidates_do_not_count_for_them(decided_by: str) -> None:
    """Even if their words happen to be the same."""
    trace = document(candidates=[candidate("a", ONE)], answers=[answer("a", ONE, decided_by)])
    assert (digest(trace).n_shingles, member(trace).found) == (0, 0)
    assert digest(trace).decided_by == (decided_by,)


def test_of_equal_candidates_none_is_unique() -> None:
    """In whichever words they are written; a broken or incomplete candidate does not count as equal."""
    answers = [answer("a", ONE, "equal_candidates")]
    equal = document(candidates=[candidate("a", ONE), candidate("b", TWO)], answers=answers)
    assert (member(equal).found, member(equal).unique, member(equal).n_chosen) == (2, 0, 1)
    broken = document(candidates=[candidate("a", ONE), candidate("b", TWO, finding="broken")], answers=answers)
    assert member(broken).unique == 2
    cut = document(candidates=[candidate("a", ONE), candidate("b", TWO, finish_reason="length")], answers=answers)
    assert member(cut).unique == 2


def test_only_checked_candidates_count_for_validity() -> None:
    """Files of older versions have unchecked ones."""
    old = candidate("a", ONE)
    del old["finding"]
    trace = document(candidates=[old, candidate("a", ONE, layer=2, finding="no JSON"), candidate("a", ONE, layer=3)])
    assert (member(trace).n_candidates, member(trace).n_checked, member(trace).n_valid) == (3, 2, 1)


def test_tool_calls_count_as_text() -> None:
    """A proposer may describe the critic's call in prose."""
    arguments = '{"path": "src/app.py", "line": 17}'
    made = answer(
        "c", "", "critic", tool_calls=[{"id": "1", "function": {"name": "read_file", "arguments": arguments}}]
    )
    advice = f'I would call {{"function": {{"name": "read_file", "arguments": {arguments}}}}}'
    trace = document(candidates=[candidate("a", advice), candidate("b", "I would not")], answers=[made])
    assert member(trace).found > 0
    assert member(trace, "b").found == 0


def test_asked_failed_and_left_out_models_are_members() -> None:
    """In the panel's order; samples are separate members, and calls of one model."""
    calls = [call("q#1"), call("q#2"), call("b"), call("q", role="critic")]
    left_out = failure("d", "left_out")
    trace = document(candidates=[candidate("q#2"), candidate("q#1")], failures=[left_out, failure("b")], calls=calls)
    assert [each.name for each in digest(trace).members] == ["q#1", "q#2", "b", "d"]
    assert [each.model for each in digest(trace).calls] == ["q", "q", "b", "q"]
    assert member(trace, "d").failures == ("left_out",)


def test_the_last_member_held_up_the_panel() -> None:
    """By the time since the one before it, in each layer; the time of cancelling does not count."""
    layers = [call("a", 1.0), call("b", 3.5), call("a", 6.0), call("b", 5.5), call("b", 9.0, role="critic")]
    trace = document(candidates=[candidate("a"), candidate("b")], calls=layers)
    assert (member(trace, "b").held_s, member(trace, "a").held_s) == (2.5, 0.5)
    together = document(candidates=[candidate("a"), candidate("b")], calls=[call("a", 1.0), call("b", 1.004)])
    assert member(together, "b").held_s == 0


def test_a_cancelled_request_waited_for_no_member() -> None:
    """Nor does a panel of one."""
    calls = [call("a", 1.0), call("b", 3.0)]
    gone = document(candidates=[candidate("a")], calls=calls, outcome="cancelled")
    assert member(gone, "b").held_s == 0
    assert member(document(candidates=[candidate("a")])).held_s == 0


def test_money_is_exact_or_unknown() -> None:
    """A call that never began has no duration."""
    known, unknown = digest(document(calls=[call("a", cost=0.1), call("b", None, cost=None)])).calls
    assert (known.cost, unknown.cost) == (Decimal("0.1"), None)
    assert (known.seconds, unknown.seconds) == (1.0, None)


def test_authors_of_a_composed_answer_are_split() -> None:
    """Names may contain a plus."""
    assert split_authors("a+b", ["a", "b"]) == ["a", "b"]
    assert split_authors("c++a", ["a", "c+"]) == ["c+", "a"]
    assert split_authors("a+b", ["a+b", "a", "b"]) == ["a+b"]
    assert split_authors("a+z", ["a", "b"]) == []
