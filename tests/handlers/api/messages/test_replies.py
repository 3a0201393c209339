"""Messages replies built from events, without a server: the stream and the body carry the same message."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from config.settings import Critic, Mixture
from handlers.api.messages.parse import parse_messages
from handlers.api.messages.replies import MessageWriter, build_message
from handlers.api.reply.shown_work import ShownWork
from handlers.errors import ApiError
from synth.events import Answered, DecidedBy, ReasoningDelta, TextDelta
from synth.normalize import Completion

USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 2}}
CALL = {"id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}
SHOWN = ShownWork(None)
HIDDEN = ShownWork(Mixture("mom", (), Critic("a")))


def answered(completion: Completion) -> Answered:
    return Answered(completion, DecidedBy.CRITIC, "a")


def events_of(data: bytes) -> list[Any]:
    return [json.loads(block.partition("\ndata: ")[2]) for block in data.decode("ascii").split("\n\n") if block]


def assemble(events: list[Any]) -> list[dict[str, Any]]:
    """Return the content blocks that a client builds from a stream."""
    blocks: list[dict[str, Any]] = []
    inputs: dict[int, str] = {}
    for event in events:
        if event["type"] == "content_block_start":
            assert event["index"] == len(blocks)
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            delta, block = dict(event["delta"]), blocks[event["index"]]
            kind = delta.pop("type")
            if kind == "input_json_delta":
                inputs[event["index"]] = inputs.get(event["index"], "") + delta["partial_json"]
            else:
                for key, value in delta.items():
                    block[key] = block.get(key, "") + value
    for index, text in inputs.items():
        blocks[index]["input"] = json.loads(text)
    return blocks


def stream(completion: Completion, work: ShownWork = SHOWN) -> list[Any]:
    writer = MessageWriter("msg_1", "mom", work)
    data = writer.opening()
    if completion.reasoning:
        data += writer.read(ReasoningDelta(completion.reasoning))
    for character in completion.text:
        data += writer.read(TextDelta(character))
    return events_of(data + writer.read(answered(completion)) + writer.end(USAGE))


@given(
    text=st.text(max_size=8),
    arguments=st.lists(
        st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2), max_size=2
    ),
)
def test_a_stream_and_a_body_carry_the_same_content(text: str, arguments: list[dict[str, Any]]) -> None:
    """Whatever the text and the calls are; stop reason and usage agree as well."""
    calls = tuple(
        {"id": f"t{n}", "type": "function", "function": {"name": "f", "arguments": json.dumps(each)}}
        for n, each in enumerate(arguments)
    )
    completion = Completion(text, tool_calls=calls, finish_reason="tool_calls" if calls else "stop")
    body = build_message("msg_1", "mom", answered(completion), USAGE, HIDDEN)
    events = stream(completion)
    assert assemble(events) == body["content"]
    assert events[-2]["delta"]["stop_reason"] == body["stop_reason"] == ("tool_use" if calls else "end_turn")
    assert events[-2]["usage"] == body["usage"]
    assert body["usage"]["input_tokens"] + body["usage"]["cache_read_input_tokens"] == 5


@given(text=st.text(min_size=1, max_size=8), value=st.integers())
def test_an_answer_survives_the_way_to_the_client_and_back(text: str, value: int) -> None:
    """Text, calls and ids are those of the answer when the client sends it with the next turn."""
    call = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"x": value})}}
    body = build_message("msg_1", "mom", answered(Completion(text, tool_calls=(call,))), USAGE, HIDDEN)
    history = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": body["content"]}]
    message = parse_messages({"messages": [*history, {"role": "user", "content": "Go on."}]}).messages[1]
    assert message["content"] == text
    assert message["tool_calls"] == [call]


def test_reasoning_that_the_next_turn_needs_is_returned_though_it_is_hidden() -> None:
    """It travels in the signature of an empty thinking block, and comes back as the fields that the model sent."""
    extra = {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}
    completion = Completion("", reasoning="Secret.", tool_calls=(CALL,), finish_reason="tool_calls", extra=extra)
    body = build_message("msg_1", "mom", answered(completion), USAGE, HIDDEN)
    assert body["content"][0]["thinking"] == ""
    assert "Secret" not in json.dumps(body)
    assert assemble(stream(completion, HIDDEN))[0] == body["content"][0]
    history = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": body["content"]}]
    message = parse_messages({"messages": [*history, {"role": "user", "content": "Go on."}]}).messages[1]
    assert message["reasoning_content"] == "Secret."
    assert message["reasoning_details"] == extra["reasoning_details"]


def test_a_heartbeat_opens_the_stream_once() -> None:
    """A ping is never the first event, and the first content does not open it again."""
    writer = MessageWriter("msg_1", "mom", SHOWN)
    events = events_of(writer.heartbeat() + writer.heartbeat() + writer.opening() + writer.read(TextDelta("x")))
    assert [event["type"] for event in events] == [
        "message_start",
        "ping",
        "ping",
        "content_block_start",
        "content_block_delta",
    ]


def test_a_refusal_is_text_with_its_own_stop_reason() -> None:
    """As at Anthropic."""
    completion = Completion("", refusal="I cannot.", finish_reason="stop")
    body = build_message("msg_1", "mom", answered(completion), USAGE, HIDDEN)
    assert (body["content"], body["stop_reason"]) == ([{"type": "text", "text": "I cannot."}], "refusal")
    assert assemble(stream(completion)) == body["content"]


def test_a_failure_is_an_error_event() -> None:
    """In Anthropic's shape, with a type for its status."""
    (event,) = events_of(MessageWriter("msg_1", "mom", SHOWN).fail(ApiError(503, "busy")))
    assert event == {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
