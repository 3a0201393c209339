"""Conversations of Messages: unchanged for an upstream of that API, translated for all others."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.upstream.anthropic.messages import ASSISTANT, TEXT, THINKING, TOOL_USE, USER, alternating, bodies
from upstream.anthropic.blocks import ShapeError, list_blocks, pack_opaque
from upstream.anthropic.conversation import NativeMessage, read_conversation, write_assistant, write_conversation

USER_TURN = {"role": "user", "content": "hi"}


def _translations(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the conversation as models of other protocols see it, without the originals."""
    return [dict(message) for message in read_conversation(body)]


@settings(max_examples=30)
@given(bodies())
def test_an_upstream_of_the_same_protocol_gets_the_original_messages(body: dict[str, Any]) -> None:
    """Every message comes back unchanged and in its order, wherever system messages stand."""
    system, messages = write_conversation(read_conversation(body))
    assert messages == body["messages"]
    assert system == list(list_blocks(body.get("system"), "system"))


@settings(max_examples=30)
@given(bodies(), st.data())
def test_appended_messages_leave_the_conversation_unchanged(body: dict[str, Any], data: st.DataObject) -> None:
    """Messages that the gateway appends follow the originals, which keep their bytes and so the prompt cache."""
    added = {"role": "user", "content": data.draw(TEXT)}
    _, messages = write_conversation([*read_conversation(body), added])
    n_sent = len(body["messages"])
    assert messages[: n_sent - 1] == body["messages"][: n_sent - 1]
    last = list_blocks(messages[-1]["content"], "content")
    assert last[-1] == {"type": "text", "text": added["content"]}


@settings(max_examples=30)
@given(alternating())
def test_a_translation_is_translated_back(body: dict[str, Any]) -> None:
    """Without its originals a conversation keeps roles, texts, calls with their ids, results, images and documents."""
    translated = _translations(body)
    system, messages = write_conversation(translated)
    assert [message["role"] for message in messages] == [message["role"] for message in body["messages"]]
    assert all(first["role"] != second["role"] for first, second in pairwise(messages))
    again = _translations({"system": system, "messages": messages})
    fields = ("role", "content", "tool_calls", "tool_call_id")
    assert [{key: each.get(key) for key in fields} for each in again] == [
        {key: each.get(key) for key in fields} for each in translated
    ]


@given(st.lists(THINKING, max_size=2), TEXT, st.lists(TOOL_USE, max_size=2))
def test_signed_thinking_goes_first(thinking: list[dict[str, Any]], text: str, uses: list[dict[str, Any]]) -> None:
    """The API requires the signed blocks of a turn unchanged, before the text and the calls of that turn."""
    calls = [
        {"id": use["id"], "function": {"name": use["name"], "arguments": json.dumps(use["input"])}} for use in uses
    ]
    message = {"role": "assistant", "content": text, "thinking_blocks": thinking, "tool_calls": calls}
    assert write_assistant(message) == [*thinking, {"type": "text", "text": text}, *uses]


@settings(max_examples=30)
@given(ASSISTANT)
def test_no_thinking_becomes_text(message: dict[str, Any]) -> None:
    """A model's thinking is never shown to another model as the assistant's text."""
    said = "".join(block["text"] for block in message["content"] if block["type"] == "text")
    (translated,) = read_conversation({"messages": [message]})
    assert (translated["content"] or "") == said


def test_fields_that_a_model_must_get_back_are_unpacked() -> None:
    """Reasoning of an upstream that is not Anthropic's returns from the signature, and no field beside it."""
    packed = pack_opaque({"reasoning_content": "hm", "reasoning_details": [{"a": 1}], "role": "system"})
    content = [{"type": "thinking", "thinking": "", "signature": packed}, {"type": "text", "text": "yes"}]
    (translated,) = _translations({"messages": [{"role": "assistant", "content": content}]})
    assert translated == {
        "role": "assistant",
        "content": "yes",
        "reasoning_content": "hm",
        "reasoning_details": [{"a": 1}],
    }


@settings(max_examples=30)
@given(st.lists(USER, min_size=1, max_size=3))
def test_results_come_before_other_text_of_the_user(messages: list[dict[str, Any]]) -> None:
    """Chat Completions requires the results of calls right behind the calls."""
    for message in messages:
        roles = [each["role"] for each in read_conversation({"messages": [message]})]
        n_results = sum(block["type"] == "tool_result" for block in message["content"])
        assert roles[:n_results] == ["tool"] * n_results
        assert roles[n_results:] in ([], ["user"])


def test_a_system_prompt_keeps_its_marks() -> None:
    """Blocks of the client's system prompt reach Anthropic as they were; the client's billing line does not."""
    cached = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
    billing = {"type": "text", "text": "x-anthropic-billing-header: v=1"}
    body = {"system": [billing, cached], "messages": [USER_TURN]}
    assert write_conversation(read_conversation(body)) == ([cached], [USER_TURN])


def test_only_the_first_message_refers_to_the_request() -> None:
    """And no other, so that a request is found without a search and is not kept twice."""
    body = {"system": "s", "messages": [USER_TURN, {"role": "assistant", "content": "a"}, USER_TURN]}
    assert [message.request for message in read_conversation(body)] == [body, None, None, None]


def test_encoders_see_the_translation_only() -> None:
    """A message with an original is a plain object for JSON."""
    message = NativeMessage({"role": "user", "content": "hi"}, ({"secret": 1},))
    assert json.loads(json.dumps(message)) == {"role": "user", "content": "hi"}


def test_messages_of_chat_completions_are_merged_by_role() -> None:
    """Results and the user's next words become one user message; an empty message is left out."""
    call = {"id": "t", "function": {"name": "f", "arguments": "{}"}}
    system, messages = write_conversation(
        [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "t", "content": "done"},
            {"role": "assistant", "content": ""},
            {"role": "user", "content": "more"},
            {"role": "system", "content": "Stop."},
        ]
    )
    assert system == [{"type": "text", "text": "Be brief."}]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert messages[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "done"}]},
        {"type": "text", "text": "more"},
        {"type": "text", "text": "Stop."},
    ]


@pytest.mark.parametrize(
    ("messages", "path"),
    [
        (None, "messages"),
        ([], "messages"),
        ([{"role": "system", "content": "s"}], "messages"),
        (["hi"], "messages[0].role"),
        ([{"role": "tool", "content": "hi"}], "messages[0].role"),
        ([USER_TURN, {"role": "user"}], "messages[1].content"),
        ([{"role": "assistant", "content": [{"type": "image"}]}], "messages[0].content[0].type"),
        ([{"role": "assistant", "content": [{"type": "tool_use", "name": "f"}]}], "messages[0].content[0].id"),
        ([{"role": "user", "content": [{"type": "tool_result"}]}], "messages[0].content[0].tool_use_id"),
    ],
)
def test_an_invalid_conversation_is_refused_with_its_path(messages: Any, path: str) -> None:
    """The path leads to the message and the block."""
    with pytest.raises(ShapeError) as caught:
        read_conversation({"messages": messages})
    assert caught.value.path == path


def test_blocks_of_the_servers_tools_are_left_out() -> None:
    """Calls that Anthropic's servers made mean nothing to another model, and are no error."""
    content = [{"type": "server_tool_use", "id": "s", "name": "web_search"}, {"type": "text", "text": "found"}]
    (translated,) = _translations({"messages": [{"role": "assistant", "content": content}]})
    assert translated == {"role": "assistant", "content": "found"}
