"""Responses replies built from events, without a server: the stream and the body carry the same items."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Critic, Mixture
from handlers.api.client_api import Envelope
from handlers.api.reply.shown_work import ShownWork
from handlers.api.responses.parse import ResponsesRequest, parse_responses
from handlers.api.responses.replies import Identity, ResponseWriter, build_response
from handlers.errors import ApiError
from synth.events import Answered, DecidedBy, ReasoningDelta, TextDelta
from synth.normalize import Completion

ENVELOPE = Envelope("chatcmpl-0123", 1_700_000_000, "mom")
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 2}}
TOOLS = [
    {"type": "function", "name": "f", "parameters": {"type": "object"}},
    {"type": "custom", "name": "patch"},
    {"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "g", "parameters": {"type": "object"}}]},
]
SHOWN = ShownWork(None)
HIDDEN = ShownWork(Mixture("mom", (), Critic("a")))


def request() -> ResponsesRequest:
    return parse_responses({"input": "Why?", "tools": TOOLS})


def answered(completion: Completion) -> Answered:
    return Answered(completion, DecidedBy.CRITIC, "a")


def call(name: str, arguments: str, identifier: str = "c1") -> dict[str, Any]:
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


def build(completion: Completion) -> dict[str, Any]:
    return build_response(Identity(ENVELOPE), request(), answered(completion), USAGE, HIDDEN)


def stream(completion: Completion, work: ShownWork = SHOWN) -> list[Any]:
    writer = ResponseWriter(Identity(ENVELOPE), request(), work)
    data = b""
    if completion.reasoning:
        data += writer.read(ReasoningDelta(completion.reasoning))
    for character in completion.text:
        data += writer.read(TextDelta(character))
    data += writer.read(answered(completion)) + writer.end(USAGE)
    return [json.loads(block.partition("\ndata: ")[2]) for block in data.decode("ascii").split("\n\n") if block]


def check_sequence(events: list[Any]) -> None:
    """Check what SDKs rely on: numbers without gaps, and every item added, then done, at its index."""
    assert [event["sequence_number"] for event in events] == [*range(len(events))]
    added = [event for event in events if event["type"] == "response.output_item.added"]
    done = [event for event in events if event["type"] == "response.output_item.done"]
    assert (
        [event["output_index"] for event in added] == [event["output_index"] for event in done] == [*range(len(added))]
    )
    assert [event["item"]["id"] for event in added] == [event["item"]["id"] for event in done]
    assert events[-1]["response"]["output"] == [event["item"] for event in done]


@given(text=st.text(max_size=8), values=st.lists(st.integers(), max_size=2))
def test_a_stream_and_a_body_carry_the_same_output(text: str, values: list[int]) -> None:
    """Whatever the text and the calls are."""
    calls = tuple(call("f", json.dumps({"x": value}), f"c{n}") for n, value in enumerate(values))
    completion = Completion(text, tool_calls=calls, finish_reason="tool_calls" if calls else "stop")
    events = stream(completion)
    check_sequence(events)
    body = build(completion)
    assert events[-1]["response"] == body
    assert (body["status"], body["store"], body["usage"]["total_tokens"]) == ("completed", False, 12)


@given(details=st.none() | st.integers() | st.text() | st.lists(st.none()) | st.dictionaries(st.text(), st.none()))
def test_odd_details_of_the_usage_lose_no_answer(details: Any) -> None:
    """An upstream's details are passed on as they came, and are counts of nothing here."""
    usage = {**USAGE, "prompt_tokens_details": details, "completion_tokens_details": details}
    body = build_response(Identity(ENVELOPE), request(), answered(Completion("x")), usage, HIDDEN)
    assert body["usage"]["input_tokens_details"] == {"cached_tokens": 0}
    assert body["usage"]["output_tokens_details"] == {"reasoning_tokens": 0}


@given(text=st.text(min_size=1, max_size=8))
def test_an_answer_survives_the_way_to_the_client_and_back(text: str) -> None:
    """Text, calls, namespaces and freeform inputs are those of the answer when its items are the next input."""
    calls = (call("f", '{"x": 1}'), call("patch", json.dumps({"input": text}), "c2"), call("ns__g", "{}", "c3"))
    items = build(Completion(text, tool_calls=calls))["output"]
    assert [item["type"] for item in items] == ["message", "function_call", "custom_tool_call", "function_call"]
    assert (items[2]["input"], items[3]["name"], items[3]["namespace"]) == (text, "g", "ns")
    message = parse_responses({"input": [{"role": "user", "content": "Why?"}, *items], "tools": TOOLS}).chat.messages[1]
    assert message["content"] == text
    assert [each["function"]["name"] for each in message["tool_calls"]] == ["f", "patch", "ns__g"]
    assert json.loads(message["tool_calls"][1]["function"]["arguments"]) == {"input": text}


def test_reasoning_that_the_next_turn_needs_is_returned_though_it_is_hidden() -> None:
    """It travels as encrypted content, and comes back as the fields that the model sent."""
    completion = Completion("", reasoning="Secret.", tool_calls=(call("f", "{}"),), finish_reason="tool_calls")
    events = stream(completion, HIDDEN)
    check_sequence(events)
    item, _ = items = events[-1]["response"]["output"]
    assert (item["type"], item["summary"]) == ("reasoning", [])
    assert "Secret" not in json.dumps(items)
    message = parse_responses({"input": [{"role": "user", "content": "Why?"}, *items]}).chat.messages[1]
    assert message["reasoning_content"] == "Secret."


def test_shown_reasoning_is_a_summary() -> None:
    """With the events that clients display."""
    events = stream(Completion("x", reasoning="Hm."))
    check_sequence(events)
    assert "response.reasoning_summary_text.delta" in [event["type"] for event in events]
    assert events[-1]["response"]["output"][0]["summary"] == [{"type": "summary_text", "text": "Hm."}]


@pytest.mark.parametrize(("reason", "why"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_an_answer_that_was_cut_is_incomplete(reason: str, why: str) -> None:
    """In the last event and in the status."""
    events = stream(Completion("x", finish_reason=reason))
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": why}


@pytest.mark.parametrize(
    ("code", "shown"), [("upstream_error", "invalid_prompt"), ("context_length_exceeded", "context_length_exceeded")]
)
def test_a_failure_ends_the_stream_with_a_code_that_stops(code: str, shown: str) -> None:
    """After the opening, whether that was sent before or not."""
    for has_begun in (False, True):
        writer = ResponseWriter(Identity(ENVELOPE), request(), SHOWN)
        data = (writer.heartbeat() if has_begun else b"") + writer.fail(ApiError(502, "no", code=code))
        blocks = [block for block in data.decode("ascii").split("\n\n") if block]
        events = [json.loads(block.partition("\ndata: ")[2]) for block in blocks]
        assert [event["type"] for event in events] == ["response.created", "response.in_progress", "response.failed"]
        assert events[-1]["response"]["error"] == {"code": shown, "message": "no"}


@pytest.mark.parametrize("arguments", ["not json", "[]", '{"input": 1}', ""])
def test_a_freeform_call_in_another_form_is_passed_on_verbatim(arguments: str) -> None:
    """Agents repair calls themselves."""
    item = build(Completion("", tool_calls=(call("patch", arguments),)))["output"][-1]
    assert (item["type"], item["input"]) == ("custom_tool_call", arguments)
