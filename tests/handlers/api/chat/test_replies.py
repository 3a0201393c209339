"""Chat Completions replies built from events, without a server."""

import json
from typing import Any

import pytest

from config.settings import Critic, Mixture, Server
from handlers.api.chat.replies import ChunkWriter, build_completion
from handlers.api.client_api import Envelope
from handlers.api.reply.shown_work import ShownWork
from handlers.api.reply.usage import build_usage
from synth.events import Answered, DecidedBy, Finished, ReasoningDelta, TextDelta
from synth.ledger import Ledger
from synth.normalize import Completion
from synth.request import ChatRequest
from upstream.openai.stream_assembler import ToolCalls

ENVELOPE = Envelope("chatcmpl-1", 1_700_000_000, "mom")
SINGLE = ShownWork(None)
REQUEST = ChatRequest("mom", [{"role": "user", "content": "Hi"}], {})


def events_of(data: bytes) -> list[Any]:
    return [json.loads(block.removeprefix("data: ")) for block in data.decode("ascii").split("\n\n") if block]


def answered(completion: Completion, decided_by: DecidedBy = DecidedBy.CRITIC) -> Answered:
    return Answered(completion, decided_by, "a")


def test_a_stream_and_a_body_have_the_same_message() -> None:
    """Text, tool calls and finish reason of the chunks add up to the message of the JSON body."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    completion = Completion("Hi", tool_calls=(call,), finish_reason="tool_calls")
    body = build_completion(ENVELOPE, Finished((answered(completion),), 0.0), {}, SINGLE)
    writer = ChunkWriter(ENVELOPE, REQUEST, SINGLE)
    chunks = events_of(writer.opening() + writer.read(TextDelta("Hi")) + writer.read(answered(completion)))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    (choice,) = body["choices"]
    assert "".join(delta.get("content", "") for delta in deltas) == choice["message"]["content"] == "Hi"
    assert [each for delta in deltas for each in delta.get("tool_calls", ())] == [{**call, "index": 0}]
    assert chunks[-1]["choices"][0]["finish_reason"] == choice["finish_reason"] == "tool_calls"
    assert {(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks} == {
        (body["id"], body["created"], body["model"])
    }


def test_chunks_are_ascii() -> None:
    """Unicode line separators never appear raw: some clients end an event's line at them."""
    writer = ChunkWriter(ENVELOPE, REQUEST, SINGLE)
    data = writer.read(TextDelta("a\u2028b\x85c"))
    assert data.isascii()
    assert events_of(data)[0]["choices"][0]["delta"]["content"] == "a\u2028b\x85c"


@pytest.mark.parametrize("shows", [True, False])
def test_reasoning_is_shown_only_if_the_mixture_shows_it(shows: bool) -> None:
    """The same holds for a stream and for a body."""
    work = ShownWork(Mixture("mom", (), Critic("a"), show_reasoning=shows))
    completion = Completion("Hi", reasoning="hm", finish_reason="stop")
    body = build_completion(ENVELOPE, Finished((answered(completion),), 0.0), {}, work)
    assert ("reasoning_content" in body["choices"][0]["message"]) == shows
    assert bool(ChunkWriter(ENVELOPE, REQUEST, work).read(ReasoningDelta("hm"))) == shows


def test_a_message_without_text_has_empty_or_no_content() -> None:
    """`content` is null beside tool calls and "" otherwise, because some clients fail on a null alone."""
    for completion, content in [
        (Completion("", finish_reason="stop"), ""),
        (Completion("", tool_calls=({"id": "1"},), finish_reason="tool_calls"), None),
    ]:
        body = build_completion(ENVELOPE, Finished((answered(completion),), 0.0), {}, SINGLE)
        assert body["choices"][0]["message"]["content"] == content


def test_usage_without_calls_is_estimated_from_the_text() -> None:
    """The top counts are never missing, because clients add them up."""
    request = ChatRequest(None, [{"role": "user", "content": "x" * 40}], {})
    finished = Finished((answered(Completion("y" * 20, finish_reason="stop")),), 0.0)
    usage = build_usage(finished, Ledger(), request, Server())
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (10, 5, 15)
    assert usage["mom"]["calls"] == 0


CALL: dict[str, Any] = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize("shows", [True, False])
def test_reasoning_is_sent_beside_tool_calls(shows: bool) -> None:
    """Providers refuse the next turn without it, so it is not hidden there; a stream shows it once."""
    work = ShownWork(Mixture("mom", (), Critic("a"), show_reasoning=shows))
    details = [{"type": "reasoning.encrypted", "data": "x"}]
    completion = Completion("", reasoning="hm", tool_calls=(CALL,), extra={"reasoning_details": details})
    body = build_completion(ENVELOPE, Finished((answered(completion),), 0.0), {}, work)
    message = body["choices"][0]["message"]
    assert (message["reasoning_content"], message["reasoning_details"]) == ("hm", details)
    writer = ChunkWriter(ENVELOPE, REQUEST, work)
    chunks = events_of(writer.read(ReasoningDelta("hm")) + writer.read(answered(completion)))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert [delta["reasoning_content"] for delta in deltas if "reasoning_content" in delta] == ["hm"]
    assert [delta["reasoning_details"] for delta in deltas if "reasoning_details" in delta] == [details]


def test_long_lines_are_split() -> None:
    """No line of a stream is longer than 64 KiB, as far as its parts can be put together again."""
    long = "\U0001f600" * 30_000
    call: dict[str, Any] = {**CALL, "function": {"name": "f", "arguments": json.dumps({"x": long})}}
    completion = Completion(long, reasoning=long, tool_calls=(call, CALL), function_call=call["function"])
    writer = ChunkWriter(ENVELOPE, REQUEST, SINGLE)
    data = writer.read(TextDelta(long)) + writer.read(ReasoningDelta(long)) + writer.read(answered(completion))
    assert max(map(len, data.splitlines())) < 2**16
    deltas = [chunk["choices"][0]["delta"] for chunk in events_of(data)]
    assert "".join(delta.get("content", "") for delta in deltas) == long
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == long
    calls = ToolCalls()
    for piece in (each for delta in deltas for each in delta.get("tool_calls", ())):
        calls.feed(piece)
    assert list(calls) == [call, CALL]


def test_pictures_are_parts_of_the_content() -> None:
    """In a body and in a stream."""
    image = {"type": "image_url", "image_url": {"url": "data:,x"}}
    completion = Completion("Look:", media=(image,))
    body = build_completion(ENVELOPE, Finished((answered(completion),), 0.0), {}, SINGLE)
    assert body["choices"][0]["message"]["content"] == [{"type": "text", "text": "Look:"}, image]
    chunks = events_of(ChunkWriter(ENVELOPE, REQUEST, SINGLE).read(answered(completion)))
    assert chunks[0]["choices"][0]["delta"]["content"] == [image]
