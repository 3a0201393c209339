"""Efforts as thinking budgets: within the limit, and only where the API takes them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstream.anthropic.thinking import MIN_BUDGET, SHARES, think

ASKED = [{"role": "user", "content": "Why?"}]
CALL = {"type": "tool_use", "id": "1", "name": "f", "input": {}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "5"}]}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}


def body(**fields: Any) -> dict[str, Any]:
    return {"messages": ASKED, "max_tokens": 10_000, **fields}


@pytest.mark.parametrize(("effort", "budget"), [("low", 2000), ("medium", 5000), ("high", 8000), ("minimal", 1024)])
def test_an_effort_is_a_share_of_the_limit(effort: str, budget: int) -> None:
    """At least the smallest budget of the API."""
    assert think(body(), effort)["thinking"] == {"type": "enabled", "budget_tokens": budget}


@given(st.integers(1, 200_000), st.sampled_from([*SHARES]))
def test_a_budget_leaves_room_for_the_answer(limit: int, effort: str) -> None:
    """It is below the limit, or there is none."""
    thinking = think(body(max_tokens=limit), effort).get("thinking")
    assert thinking is None or MIN_BUDGET <= thinking["budget_tokens"] < limit
    assert (thinking is None) == (limit <= MIN_BUDGET)


@pytest.mark.parametrize(
    "fields",
    [
        {"tool_choice": {"type": "any"}},
        {"tool_choice": {"type": "tool", "name": "f"}},
        {"messages": [*ASKED, {"role": "assistant", "content": [CALL]}, RESULT]},
        {"messages": [*ASKED, {"role": "assistant", "content": "Let me see."}, RESULT]},
        {"thinking": {"type": "adaptive"}},
        {"max_tokens": None},
    ],
)
def test_a_request_that_excludes_thinking_is_unchanged(fields: Any) -> None:
    """A forced tool, a turn that lacks the thinking before its call, and thinking that somebody has set."""
    assert think(body(**fields), "high") == body(**fields)


@pytest.mark.parametrize("effort", [None, "none", "ultra", 7, ["high"]])
def test_no_effort_is_no_thinking(effort: Any) -> None:
    """Nor does an unknown effort, because its size is unknown."""
    assert "thinking" not in think(body(), effort)


def test_a_turn_with_its_thinking_continues_thinking() -> None:
    """The client has returned the block that led to the call."""
    messages = [*ASKED, {"role": "assistant", "content": [THOUGHT, CALL]}, RESULT]
    assert "thinking" in think(body(messages=messages, tool_choice={"type": "auto"}), "low")


def test_sampling_that_thinking_excludes_is_left_out() -> None:
    """Permitted parameters stay."""
    found = think(body(temperature=0.2, top_k=40, top_p=0.5, stop_sequences=["x"]), "low")
    assert found.keys() == {"messages", "max_tokens", "stop_sequences", "thinking"}
    kept = think(body(temperature=1, top_p=0.97), "low")
    assert (kept["temperature"], kept["top_p"]) == (1, 0.97)
