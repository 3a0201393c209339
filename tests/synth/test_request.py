"""A chat request after parsing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.request import (
    ChatRequest,
    Message,
    answers_tool_call,
    find_earlier_requests,
    find_last_request,
    start_of,
    text_of,
)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("words", "words"),
        (None, ""),
        ([{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "text", "text": None}, "loose"], ""),
        (7, ""),
    ],
)
def test_the_text_of_a_content_is_its_text_parts(content: Any, text: str) -> None:
    """Anything else is no text."""
    assert text_of(content) == text


@given(
    st.text(max_size=9) | st.lists(st.just({"type": "image_url"}) | st.builds(dict, text=st.text(max_size=3))),
    st.integers(0, 12),
)
def test_the_start_of_a_content_is_that_of_its_text(content: Any, n_chars: int) -> None:
    assert start_of(content, n_chars) == text_of(content)[:n_chars]


def test_reminders_behind_a_tool_s_result_change_nothing() -> None:
    """Agents add system messages and text to a tool's result; the turn is over once the model has answered."""
    result: list[Message] = [{"role": "assistant", "content": None}, {"role": "tool", "content": "x"}]
    reminders: list[Message] = [{"role": "user", "content": "Remember."}, {"role": "system", "content": "Be brief."}]
    assert answers_tool_call(ChatRequest(None, [*result, *reminders], {}))
    assert not answers_tool_call(ChatRequest(None, [*result, {"role": "assistant", "content": "y"}, *reminders], {}))


@pytest.mark.parametrize(
    ("role", "answers"), [("tool", True), ("function", True), ("user", False), ("assistant", False)]
)
def test_a_tool_s_result_at_the_end_continues_work(role: str, answers: bool) -> None:
    """Of both generations of tools."""
    assert answers_tool_call(ChatRequest(None, [{"role": role, "content": "x"}], {})) is answers


def test_the_last_request_is_the_user_s_last_text() -> None:
    """Of a message in parts, the text; "" if no user spoke."""
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "first"},
        {"role": "user", "content": parts},
        {"role": "tool", "content": "x"},
    ]
    assert find_last_request(messages) == "ab"
    assert find_last_request([{"role": "user"}]) == ""
    assert find_earlier_requests(messages) == "first"
    assert find_earlier_requests([]) == ""
    assert find_last_request([{"role": "system", "content": "x"}]) == ""
