"""Parsing Messages requests: the translated request, and refusals with their path."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.api.messages.parse import parse_messages
from handlers.errors import ApiError

HI = [{"role": "user", "content": "hi"}]
TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object"}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("system", "tools", "tool_choice", "max_tokens", "stop_sequences", "output_config", "thinking", "stream")


def test_instructions_before_the_first_answer_become_one_system_message() -> None:
    """Many models accept a single leading system message only; the client's billing line is left out."""
    request = parse_messages(
        {
            "system": [
                {"type": "text", "text": "x-anthropic-billing-header: v=1"},
                {"type": "text", "text": "Be brief."},
            ],
            "messages": [*HI, {"role": "system", "content": "You are in /tmp."}],
        }
    )
    assert request.messages == [{"role": "system", "content": "Be brief.\nYou are in /tmp."}, *HI]


def test_a_later_system_message_keeps_its_place() -> None:
    """After the first answer its position carries meaning."""
    messages = [*HI, {"role": "assistant", "content": "hello"}, {"role": "system", "content": "Stop."}]
    assert parse_messages({"messages": messages}).messages[-1] == {"role": "system", "content": "Stop."}


def test_a_tool_turn_becomes_calls_and_tool_messages() -> None:
    """Calls carry JSON arguments; results come first, then what else the user said; images follow as parts."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    result = {
        "type": "tool_result",
        "tool_use_id": "t1",
        "is_error": True,
        "content": [{"type": "text", "text": "no"}, image],
    }
    request = parse_messages(
        {
            "messages": [
                *HI,
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1}}]},
                {"role": "user", "content": [result, {"type": "text", "text": "go on"}]},
            ],
            "tools": [TOOL],
        }
    )
    call = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    assert request.messages[1] == {"role": "assistant", "content": None, "tool_calls": [call]}
    assert request.messages[2] == {"role": "tool", "tool_call_id": "t1", "content": "Error: no"}
    assert request.messages[3]["content"] == [
        {"type": "text", "text": "Attached to the result of t1:"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        {"type": "text", "text": "go on"},
    ]


def test_parameters_get_the_names_of_chat_completions() -> None:
    """Sampling, stops, tools, their choice, the output's schema and the effort."""
    request = parse_messages(
        {
            "model": "mom",
            "messages": HI,
            "max_tokens": 9,
            "temperature": 0,
            "stop_sequences": ["END"],
            "tools": [TOOL],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
            "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
            "stream": True,
        }
    )
    assert (request.model, request.stream) == ("mom", True)
    assert request.params == {
        "max_tokens": 9,
        "temperature": 0,
        "stop": ["END"],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
        ],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
        },
    }


def test_fields_about_the_client_never_reach_a_model() -> None:
    """Metadata, safeguards, placeholder tools, tools of Anthropic's servers, and unknown fields."""
    request = parse_messages(
        {
            "messages": HI,
            "metadata": {"user_id": "u"},
            "safeguards": {"paths": ["/home/u"]},
            "context_management": {},
            "tools": [TOOL | {"defer_loading": True}, {"type": "web_search_20250305", "name": "web_search"}],
            "tool_choice": {"type": "auto"},
        }
    )
    assert request.params == {}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": ""}]}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}
                ]
            },
            "messages[0].content[0].source",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "x"}]}]},
            "messages[0].content[0].tool_use_id",
        ),
        ({"messages": HI, "max_tokens": 0}, "max_tokens"),
        ({"messages": HI, "max_tokens": True}, "max_tokens"),
        ({"messages": HI, "tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"messages": HI, "tools": [TOOL], "tool_choice": {"type": {}}}, "tool_choice.type"),
        ({"messages": HI, "output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"messages": HI, "stop_sequences": [1]}, "stop_sequences"),
    ],
)
def test_an_invalid_request_is_refused_with_its_path(body: dict[str, Any], path: str) -> None:
    """400, naming the field."""
    with pytest.raises(ApiError) as caught:
        parse_messages(body)
    assert (caught.value.status, caught.value.param) == (400, path)


@given(body=st.fixed_dictionaries({"messages": JSON}, optional=dict.fromkeys(FIELDS, JSON)))
def test_any_json_is_read_or_refused(body: dict[str, Any]) -> None:
    """Never another exception."""
    with contextlib.suppress(ApiError):
        assert parse_messages(body).messages


@given(content=JSON, role=st.sampled_from(["user", "assistant", "system"]))
def test_any_content_is_read_or_refused(content: Any, role: str) -> None:
    """Never another exception, in any role."""
    block = content | {"type": "tool_result"} if isinstance(content, dict) else content
    for each in (content, [block]):
        with contextlib.suppress(ApiError):
            assert parse_messages({"messages": [{"role": role, "content": each}, *HI]}).messages
