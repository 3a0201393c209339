"""Traces read again, of whichever version."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.traces.reading import parsed, summary
from handlers.ui.story import story

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_what_an_older_version_lacks_is_filled_in() -> None:
    """At every depth; what it has stays, also what this version does not know."""
    trace = parsed(json.dumps({"id": "chatcmpl-1", "calls": [{"model": "a"}], "later": 1, "request": {"n": 2}}))
    assert trace["calls"][0]["attempts"] == []
    assert trace["calls"][0]["model"] == "a"
    assert trace["ledger"]["cost"] is None
    assert (trace["later"], trace["request"]["n"], trace["request"]["messages"]) == (1, 2, [])
    assert summary(trace).outcome == ""


def test_nobody_knows_whether_an_old_candidate_kept_its_contract() -> None:
    """`finding` is not made up."""
    trace = parsed('{"id": "chatcmpl-1", "candidates": [{"model": "a", "text": "hi"}]}')
    assert "finding" not in trace["candidates"][0]
    assert story(trace).candidates[0].is_checked is False


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 3}', "{"])
def test_what_is_no_trace_is_refused(text: str) -> None:
    """As one kind of error."""
    with pytest.raises(ValueError, match=r"is not a trace|line 1"):
        parsed(text)


@given(st.dictionaries(st.sampled_from(["calls", "candidates", "answers", "authors", "request", "timings"]), VALUES))
def test_other_types_do_no_harm(values: dict[str, Any]) -> None:
    """Where a list or an object should be."""
    trace = parsed(json.dumps({**values, "id": "chatcmpl-1"}))
    assert isinstance(trace["calls"], list)
    assert isinstance(trace["request"]["messages"], list)
    assert summary(trace).id == "chatcmpl-1"


@pytest.mark.parametrize(
    ("messages", "about"),
    [
        ([{"role": "user", "content": "first"}, {"role": "user", "content": " the \n last "}], "the last"),
        ([{"role": "user", "content": [{"type": "text", "text": "part"}]}, {"role": "tool", "content": "x"}], "part"),
        ([{"role": "system", "content": "x"}], ""),
        ([{"role": "user", "content": "x" * 1000}], "x" * 160),
    ],
)
def test_a_line_tells_what_the_user_said_last(messages: list[dict[str, Any]], about: str) -> None:
    """On one line, and not at length."""
    trace = parsed(json.dumps({"id": "chatcmpl-1", "request": {"messages": messages}}))
    assert summary(trace).about == about
