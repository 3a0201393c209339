"""Messages on the wire: requests have all that the API requires, and a stream gives what a whole message gives."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.upstream.anthropic.messages import bodies, replies
from upstream.anthropic.conversation import read_conversation, write_assistant
from upstream.anthropic.wire import DEFAULT_MAX_TOKENS, MessagesReply, write_request
from upstream.openai.stream_assembler import StreamAssembler

HI = [{"role": "user", "content": "hi"}]
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}


OTHER = {"type": "function", "function": {"name": "g"}}
FREE = {"type": "custom", "custom": {"name": "free"}}


def _allow(mode: str, *tools: dict[str, Any]) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}


def _request(messages: Sequence[Mapping[str, Any]] = HI, **fields: Any) -> dict[str, Any]:
    return dict(write_request(messages, fields))


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ({}, {"max_tokens": DEFAULT_MAX_TOKENS}),
        ({"max_tokens": 9}, {"max_tokens": 9}),
        ({"max_completion_tokens": 9, "max_tokens": 5}, {"max_tokens": 5}),
        ({"temperature": 0, "top_k": 3}, {"temperature": 0, "top_k": 3}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["A", "B"]}, {"stop_sequences": ["A", "B"]}),
        ({"tools": [TOOL]}, {"tools": [{"name": "f", "description": "d", "input_schema": SCHEMA}]}),
        ({"tools": [TOOL], "tool_choice": "required"}, {"tool_choice": {"type": "any"}}),
        ({"tools": [TOOL], "tool_choice": "none"}, {"tool_choice": {"type": "none"}}),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"tool_choice": {"type": "tool", "name": "f"}},
        ),
        ({"functions": [TOOL["function"]]}, {"tools": [{"name": "f", "description": "d", "input_schema": SCHEMA}]}),
        (
            {"functions": [TOOL["function"]], "function_call": {"name": "f"}},
            {"tool_choice": {"type": "tool", "name": "f"}},
        ),
        (
            {"tools": [OTHER, TOOL], "tool_choice": _allow("auto", TOOL)},
            {"tools": [{"name": "f", "description": "d", "input_schema": SCHEMA}], "tool_choice": {"type": "auto"}},
        ),
        ({"tools": [OTHER, TOOL], "tool_choice": _allow("required", TOOL, FREE)}, {"tool_choice": {"type": "any"}}),
        ({"tools": [FREE, OTHER]}, {"tools": [{"name": "g", "input_schema": {"type": "object", "properties": {}}}]}),
        ({"max_tokens": -1}, {"max_tokens": DEFAULT_MAX_TOKENS}),
        (
            {"tools": [TOOL], "parallel_tool_calls": False},
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}, "reasoning_effort": "low"},
            {
                "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
                "thinking": {"type": "enabled", "budget_tokens": 1638},
            },
        ),
        (
            {"reasoning_effort": "low", "thinking": {"type": "adaptive"}},
            {"thinking": {"type": "adaptive"}},
        ),
        (
            {"reasoning_effort": "low", "output_config": {"effort": "max"}},
            {"output_config": {"effort": "max"}},
        ),
    ],
)
def test_parameters_get_the_names_of_messages(fields: dict[str, Any], written: dict[str, Any]) -> None:
    """Limits, sampling, stops, tools and their choice, the output's schema, the effort."""
    body = _request(**fields)
    assert body == body | written


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [FREE]},
        {"tools": [FREE], "tool_choice": "required"},
        {"tools": [FREE], "parallel_tool_calls": False},
        {"tools": [OTHER], "tool_choice": _allow("required", TOOL)},
        {"tool_choice": "required", "parallel_tool_calls": False},
    ],
)
def test_a_choice_without_a_tool_is_left_out(fields: dict[str, Any]) -> None:
    """Messages refuses a choice without tools. A custom tool, whose argument is free text, has no counterpart there."""
    assert _request(**fields) == _request()


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "custom", "custom": {"name": "free"}},
        {"type": "function", "function": {"name": "absent"}},
        {"type": "function"},
    ],
)
def test_a_choice_of_a_tool_that_is_not_sent_is_left_out(choice: dict[str, Any]) -> None:
    """A choice without a name, or of a name that is not there, would be refused."""
    body = _request(tools=[TOOL, FREE], tool_choice=choice)
    assert [tool["name"] for tool in body["tools"]] == ["f"]
    assert "tool_choice" not in body


@pytest.mark.parametrize(
    "name", ["n", "seed", "logprobs", "logit_bias", "user", "store", "tool_choice", "frequency_penalty", "verbosity"]
)
def test_parameters_that_messages_lacks_are_left_out(name: str) -> None:
    """Anthropic answers an unknown field with a 400."""
    fields: dict[str, Any] = {name: 1}
    assert _request(**fields) == _request()


def test_a_messages_client_s_effort_arrives_as_it_was_sent() -> None:
    """It knows its model, and means Anthropic's own parameter."""
    body = {"messages": [{"role": "user", "content": "Hi"}], "output_config": {"effort": "max"}}
    written = _request(read_conversation(body), reasoning_effort="max")
    assert written["output_config"] == {"effort": "max"}
    assert "thinking" not in written


def test_a_count_of_tokens_has_no_limit() -> None:
    """The endpoint that counts refuses `max_tokens`."""
    assert "max_tokens" not in write_request(HI, {"max_tokens": 3}, counts=True)


@settings(max_examples=40)
@given(bodies())
def test_a_messages_client_reaches_the_upstream_unchanged(body: dict[str, Any]) -> None:
    """Messages, tools and thinking of the client arrive as they were sent."""
    own = {"name": "f", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}}
    body |= {"thinking": {"type": "enabled", "budget_tokens": 2048}, "tools": [own]}
    written = _request(read_conversation(body), tools=[TOOL])
    assert written["messages"] == body["messages"]
    assert (written["thinking"], written["tools"]) == (body["thinking"], [own])


def _read(values: Sequence[Mapping[str, Any]]) -> list[Any]:
    reply = MessagesReply()
    return [found for value in values for found in reply.read(value)]


def _cut(text: str, data: st.DataObject) -> Iterator[str]:
    """Cut a text anywhere, also into empty pieces."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3)))
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        yield text[start:end]


def _stream(message: Mapping[str, Any], data: st.DataObject) -> Iterator[dict[str, Any]]:
    """Return the events of a stream that sends the message, in pieces cut anywhere, with pings between them."""
    counts = {name: count for name, count in message["usage"].items() if name != "output_tokens"}
    head = {**message, "content": [], "stop_reason": None, "usage": counts | {"output_tokens": 1}}
    yield {"type": "message_start", "message": head}
    for index, block in enumerate(message["content"]):
        yield {"type": "ping"}
        yield from _block_events(index, block, data)
    final = {"output_tokens": message["usage"]["output_tokens"], "input_tokens": None}
    yield {"type": "message_delta", "delta": {"stop_reason": message["stop_reason"]}, "usage": final}
    yield {"type": "message_stop"}


def _block_events(index: int, block: Mapping[str, Any], data: st.DataObject) -> Iterator[dict[str, Any]]:
    empty, deltas = dict(block), list[dict[str, Any]]()
    match block["type"]:
        case "text":
            empty["text"] = ""
            deltas = [{"type": "text_delta", "text": piece} for piece in _cut(block["text"], data)]
        case "thinking":
            empty |= {"thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _cut(block["thinking"], data)]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "tool_use":
            empty["input"] = {}
            pieces = _cut(json.dumps(block["input"]), data)
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    yield from ({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
    yield {"type": "content_block_stop", "index": index}


def _comparable(completion: dict[str, Any]) -> dict[str, Any]:
    """Return a completion with arguments as values, and without the difference between no text and empty text."""
    (choice,) = completion["choices"]
    message = {key: value for key, value in choice["message"].items() if value not in (None, "")}
    for call in message.get("tool_calls", ()):
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return {**completion, "choices": [{**choice, "message": message}], "stop_sequence": None}


@settings(max_examples=40)
@given(replies(), st.data())
def test_a_stream_gives_the_same_as_the_whole_message(message: dict[str, Any], data: st.DataObject) -> None:
    """Text, reasoning, signed thinking, calls, finish reason and usage, wherever the pieces are cut."""
    (whole,) = _read([message])
    assembler = StreamAssembler()
    for chunk in _read(list(_stream(message, data))):
        assembler.feed(chunk)
    assert _comparable(assembler.completion()) == _comparable(whole)


@settings(max_examples=40)
@given(replies())
def test_an_answer_is_sent_back_as_it_came(message: dict[str, Any]) -> None:
    """As a part of the next request an answer has the blocks that the upstream wrote: signatures, ids, inputs."""
    (completion,) = _read([message])
    assert write_assistant(completion["choices"][0]["message"]) == message["content"]


@pytest.mark.parametrize(
    "value", [{"type": "error", "error": {"type": "overloaded_error"}}, {"choices": []}, {}, [], None, 1, "x"]
)
def test_a_value_that_is_no_event_passes_unchanged(value: Any) -> None:
    """Errors and replies of another protocol are read by those who know them."""
    assert list(MessagesReply().read(value)) == [value]


@pytest.mark.parametrize("index", [0, None, "0"])
def test_pieces_out_of_order_are_no_crash(index: Any) -> None:
    """A delta without its beginning is read as far as it has a meaning; an end without one has none."""
    delta = {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": "a"}}
    chunks = _read([delta, {"type": "content_block_stop", "index": 7}, {"type": "message_delta"}])
    assert chunks[0]["choices"][0]["delta"] == {"content": "a"}
    assert chunks[1]["choices"][0]["finish_reason"] is None


def test_calls_are_numbered_among_themselves() -> None:
    """Blocks of text and thinking do not count: the first call has the index 0, as Chat Completions has it."""
    start = {"type": "content_block_start"}
    blocks = [{"type": "text", "text": "a"}, {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}}]
    chunks = _read([{**start, "index": index, "content_block": block} for index, block in enumerate(blocks)])
    call = {"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [{"content": "a"}, {"tool_calls": [call]}]
