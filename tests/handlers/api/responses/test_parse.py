"""Parsing Responses requests: the translated request, and refusals with their path."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.api.responses.parse import parse_responses
from handlers.errors import ApiError
from tests.handlers.api.messages.test_parse import JSON

FIELDS = ("tools", "tool_choice", "text", "reasoning", "max_output_tokens", "instructions", "stream")
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}


def test_text_and_instructions_become_messages() -> None:
    """A string is the user's message; instructions lead."""
    chat = parse_responses({"model": "mom", "input": "hi", "instructions": "Be brief."}).chat
    assert chat.messages == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]


def test_items_of_one_assistant_turn_become_one_message() -> None:
    """Text and calls share a message, as Chat Completions has it; outputs answer by id."""
    chat = parse_responses(
        {
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
                {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "1"},
                {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "2"}]},
            ]
        }
    ).chat
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ("c1", "c2")]
    assert chat.messages == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "I look.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": "2"},
    ]


def test_developer_messages_before_the_first_answer_become_one_system_message() -> None:
    """Many models know neither the role nor a second system message."""
    items = [
        {"role": "developer", "content": "A"},
        {"role": "developer", "content": "B"},
        {"role": "user", "content": "C"},
    ]
    assert parse_responses({"input": items}).chat.messages == [
        {"role": "system", "content": "A\nB"},
        {"role": "user", "content": "C"},
    ]


def test_namespaces_are_flattened_and_server_tools_left_out() -> None:
    """A namespaced function has a joined name, in the tools as in the history."""
    request = parse_responses(
        {
            "input": [
                {"role": "user", "content": "hi"},
                {"type": "function_call", "call_id": "c", "name": "f", "namespace": "ns", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": ""},
            ],
            "tools": [{"type": "namespace", "name": "ns", "tools": [TOOL]}, {"type": "web_search"}],
        }
    )
    assert [each["function"]["name"] for each in request.chat.params["tools"]] == ["ns__f"]
    assert request.chat.messages[1]["tool_calls"][0]["function"]["name"] == "ns__f"


def test_a_custom_tool_is_a_function_with_one_string() -> None:
    """In the tools and in the history, since most upstreams have no custom tools."""
    request = parse_responses(
        {
            "input": [
                {"role": "user", "content": "hi"},
                {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "*** Begin"},
                {"type": "custom_tool_call_output", "call_id": "c", "output": "done"},
            ],
            "tools": [{"type": "custom", "name": "patch", "description": "d", "format": {"definition": "start: x"}}],
        }
    )
    (tool,) = request.chat.params["tools"]
    assert (tool["function"]["description"], tool["function"]["parameters"]["required"]) == ("d\n\nstart: x", ["input"])
    assert request.chat.messages[1]["tool_calls"][0]["function"]["arguments"] == '{"input": "*** Begin"}'


def test_parameters_get_the_names_of_chat_completions() -> None:
    """Limits, effort, format and tool choice."""
    chat = parse_responses(
        {
            "input": "hi",
            "max_output_tokens": 9,
            "reasoning": {"effort": "low", "summary": "auto"},
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}},
            "tools": [TOOL],
            "tool_choice": {"type": "function", "name": "f"},
            "client_metadata": {"path": "/home/u"},
            "store": True,
        }
    ).chat
    assert chat.params == {
        "max_completion_tokens": 9,
        "reasoning_effort": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
        },
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": False}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    }


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": "x", "previous_response_id": "r"}, "previous_response_id"),
        ({"input": "x", "background": True}, "background"),
        ({"input": [{"type": "item_reference", "id": "i"}]}, "input[0]"),
        ({"input": [{"type": {}, "role": "user", "content": ""}]}, "input[0].type"),
        ({"input": [{"type": "novelty"}]}, "input[0].type"),
        ({"input": [{"role": "tool", "content": ""}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "video"}]}]}, "input[0].content[0].type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input[0].content[0].image_url",
        ),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "input[0].arguments"),
        ({"input": "x", "tools": [{"type": "function"}]}, "tools[0].name"),
        ({"input": "x", "text": {"format": {"type": "xml"}}}, "text.format.type"),
    ],
)
def test_an_invalid_request_is_refused_with_its_path(body: dict[str, Any], path: str) -> None:
    """400, naming the field."""
    with pytest.raises(ApiError) as caught:
        parse_responses(body)
    assert (caught.value.status, caught.value.param) == (400, path)


@given(body=st.fixed_dictionaries({"input": JSON}, optional=dict.fromkeys(FIELDS, JSON)))
def test_any_json_is_read_or_refused(body: dict[str, Any]) -> None:
    """Never another exception."""
    with contextlib.suppress(ApiError):
        assert parse_responses(body).chat.messages


@given(
    item=st.fixed_dictionaries(
        {"type": st.sampled_from(["message", "function_call", "custom_tool_call_output", "reasoning"])},
        optional=dict.fromkeys(("role", "content", "call_id", "name", "arguments", "output"), JSON),
    )
)
def test_any_item_is_read_or_refused(item: dict[str, Any]) -> None:
    """Never another exception."""
    with contextlib.suppress(ApiError):
        assert parse_responses({"input": [item, {"role": "user", "content": "hi"}]}).chat.messages
