"""The body of a successful reply, in whatever form it comes."""

import asyncio
import itertools
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.json_steps import finish
from runtime.time_slice import SLICE_S
from tests.upstream.clocks import Clock
from upstream.errors import CallError, Kind
from upstream.http.sse import EventTooLargeError
from upstream.openai import wire
from upstream.openai.reply_decoder import MAX_VALUES, ReplyDecoder, decode_completion
from upstream.openai.stream_assembler import StreamAssembler

LIMIT = 2**20
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def chunk(delta: Any = None, reason: Any = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": reason}], **more}


def whole(reason: Any = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}]}


def sse(*events: Any, end: str = "\n\n") -> bytes:
    texts = [each if isinstance(each, str) else json.dumps(each) for each in events]
    return "".join(f"data: {text}{end}" for text in texts).encode()


def decode(body: bytes, cuts: list[int] | None = None) -> Any:
    """Return (content, finish_reason) of a body that arrives in pieces."""
    decoder, assembler = ReplyDecoder(LIMIT), StreamAssembler()
    ends = sorted({min(cut, len(body)) for cut in cuts or ()} | {0, len(body)})
    for start, end in itertools.pairwise(ends):
        for each in decoder.feed(body[start:end]):
            assembler.feed(each)
        if decoder.is_done:
            break
    for each in finish(decoder.end()):
        assembler.feed(each)
    choice = assembler.completion()["choices"][0]
    return choice["message"].get("content"), choice["finish_reason"]


STREAM = [chunk({"role": "assistant", "content": "Rivers "}), chunk({"content": "flow."}), chunk(reason="stop")]
ONE_ANSWER = {
    "by the book": sse(*STREAM, "[DONE]"),
    "heartbeats without data": sse("", STREAM[0], "", STREAM[1], " ", STREAM[2], "[DONE]"),
    "heartbeats of null": sse("null", *STREAM[:2], "null", '"[DONE]"'),
    "no [DONE]": sse(*STREAM),
    "no finish_reason": sse(*STREAM[:2], "[DONE]"),
    "an empty finish_reason": sse(*STREAM[:2], chunk(reason=""), "[DONE]"),
    "no blank line at the end": sse(*STREAM[:2], "[DONE]").removesuffix(b"\n\n"),
    "no blank lines between events": sse(*STREAM, "[DONE]", end="\n"),
    "an early finish_reason": sse(chunk({"content": "Rivers "}, "stop"), chunk({"content": "flow."}), "[DONE]"),
    "one JSON object": json.dumps(whole(content="Rivers flow.")).encode(),
    "indented JSON behind white space": b"\n  " + json.dumps(whole(content="Rivers flow."), indent=1).encode(),
    "JSON with a byte order mark": b"\xef\xbb\xbf" + json.dumps(whole(content="Rivers flow.")).encode(),
    "JSON without a finish_reason": json.dumps(whole(None, content="Rivers flow.")).encode(),
    "one chunk as JSON": json.dumps(chunk({"content": "Rivers flow."}, "stop")).encode(),
    "chunks as lines of JSON": b"".join(json.dumps(each).encode() + b"\n" for each in STREAM),
    "a completion as an event": sse(whole(content="Rivers flow."), "[DONE]"),
    "messages for deltas": sse(whole(None, content="Rivers "), whole("stop", content="flow."), "[DONE]"),
    "a message after the deltas": sse(*STREAM[:2], whole("stop", content="Rivers flow."), "[DONE]"),
    "messages that repeat all before": sse(
        whole(None, content="Ri"), whole(None, content="Rivers "), whole("stop", content="Rivers flow."), "[DONE]"
    ),
    "the same message twice": sse(whole(None, content="Rivers flow."), whole("stop", content="Rivers flow."), "[DONE]"),
    "a message as a text": json.dumps({"choices": [{"message": "Rivers flow."}]}).encode(),
    "a delta as a text": sse({"choices": [{"delta": "Rivers flow."}]}, "[DONE]"),
    "an error field without content": json.dumps(
        {**whole(content="Rivers flow."), "error": {"message": "", "type": "", "code": None}}
    ).encode(),
    "error fields without content": sse(
        *({**each, "error": {"message": ""}} for each in STREAM[:2]),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "error": {"code": 0, "message": ""}}]},
        "[DONE]",
    ),
    "wrapped by a relay": json.dumps({"code": 0, "msg": "ok", "data": whole(content="Rivers flow.")}).encode(),
    "wrapped and quoted": json.dumps({"statusCode": 200, "body": json.dumps(whole(content="Rivers flow."))}).encode(),
    "JSON as a JSON string": json.dumps(json.dumps(whole(content="Rivers flow."))).encode(),
    "wrapped chunks": sse(*({"result": each} for each in STREAM), "[DONE]"),
    "a warning before the JSON": b"<b>Warning</b>: old\n" + json.dumps(whole(content="Rivers flow.")).encode(),
    "a comment behind the JSON": json.dumps(whole(content="Rivers flow.")).encode() + b"\n<!-- 12 ms -->\n",
    "a comment in its last line": json.dumps(whole(content="Rivers flow.")).encode() + b"<!-- 12 ms -->",
    "the JSON twice": json.dumps(whole(content="Rivers flow.")).encode() * 2,
    "a list of chunks": json.dumps(STREAM, indent=1).encode(),
    "two objects in an event": sse(json.dumps(STREAM[0]) + " " + json.dumps(STREAM[1]), STREAM[2], "[DONE]"),
    "data: twice": b"".join(b"data: " + sse(each) for each in STREAM),
    "heartbeats in words": sse("ping", ": keep-alive", STREAM[0], "[HEARTBEAT]", *STREAM[1:], "[DONE]"),
    "other words for [DONE]": sse(*STREAM[:2], "DONE"),
    "words before the events": b"OK\n\n" + sse(*STREAM[:2], "[DONE]"),
    "words before events without an end": b"OK\n\n" + sse(*STREAM).removesuffix(b"\n\n"),
    "a line of JSON before the events": b'{"status": "queued"}\n\n: ping\n\n' + sse(*STREAM),
    "lines of JSON with heartbeats": b"\n: ping\nnull\n".join(json.dumps(each).encode() for each in STREAM),
    "lines of JSON and [DONE]": b"".join(json.dumps(each).encode() + b"\n" for each in STREAM[:2]) + b"[DONE]\n",
    "an index in digits": sse({"choices": [{"index": "0", "delta": {"content": "Rivers flow."}}]}, "[DONE]"),
    "an index that is not 0": sse(
        {"choices": [{"index": 1, "delta": {"content": "Rivers "}}]},
        {"choices": [{"index": 1, "delta": {"content": "flow."}, "finish_reason": "stop"}]},
    ),
    "choices that nobody asked for": sse(
        {"choices": [{"index": 1, "delta": {"content": "No."}}, {"index": 0, "delta": {"content": "Rivers flow."}}]},
        {"choices": [{"index": 1, "delta": {"content": "Never."}}]},
        "[DONE]",
    ),
    "texts for deltas": sse({"choices": [{"text": "Rivers "}]}, {"choices": [{"text": "flow."}]}, "[DONE]"),
}


@pytest.mark.parametrize("body", ONE_ANSWER.values(), ids=ONE_ANSWER)
@given(cuts=st.lists(st.integers(0, 500)))
def test_every_form_of_one_answer_reads_the_same(body: bytes, cuts: list[int]) -> None:
    """Wherever the network cuts it."""
    assert decode(body, cuts) == ("Rivers flow.", "stop")


@pytest.mark.parametrize("body", ONE_ANSWER.values(), ids=ONE_ANSWER)
async def test_a_whole_body_is_a_completion_in_every_form(body: bytes) -> None:
    """Also if a stream comes to a request that asked for none."""
    completion = wire.check_completion(await decode_completion(body, LIMIT, Clock()))
    assert completion["choices"][0]["message"]["content"] == "Rivers flow."


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (sse(chunk({"content": "a"}, "stop")).replace(b'"a"', b'"a\xff"'), "a\ufffd"),
        (json.dumps(whole(content="a")).encode().replace(b'"a"', b'"a\xff"'), "a\ufffd"),
        (json.dumps(whole(content="a")).encode().replace(b'"a"', b'"a\x01\t"'), "a\x01\t"),
    ],
)
def test_one_bad_byte_does_not_lose_an_answer(body: bytes, text: str) -> None:
    """What is not UTF-8 is replaced, and control characters inside strings are taken."""
    assert decode(body) == (text, "stop")


@pytest.mark.parametrize("pieces", [["  ", "  - one", "\n", "  - two", "  "], ["Ha", "Ha", "!"]])
def test_pieces_that_are_alike_are_not_taken_for_repetitions(pieces: list[str]) -> None:
    """Only messages of which each begins with all text before it."""
    body = sse(*(whole(None, content=piece) for piece in pieces), "[DONE]")
    assert decode(body) == ("".join(pieces), "stop")


def test_an_event_that_repeats_its_prefix_is_read_once() -> None:
    """Each prefix that is removed copies the rest, so their number is bounded: a megabyte of them is no event."""
    decoder = ReplyDecoder(2 * LIMIT)
    started = time.thread_time()
    with pytest.raises(CallError):
        list(decoder.feed(b"data:" * (LIMIT // 5) + b"\n\n"))
    assert time.thread_time() - started < 1.0


def test_tool_calls_end_a_stream_that_gives_no_reason() -> None:
    """`[DONE]` says that the answer is whole, and agents act by the reason."""
    assert decode(sse(chunk({"tool_calls": [{"index": 0, **CALL}]}), "[DONE]")) == (None, "tool_calls")


def test_tool_calls_of_a_message_become_pieces() -> None:
    """One call may come as an object, without a list."""
    decoder = ReplyDecoder(LIMIT)
    body = json.dumps(whole("tool_calls", content=None, tool_calls=CALL)).encode()
    (read,) = [*decoder.feed(body), *finish(decoder.end())]
    assert read["choices"][0]["delta"]["tool_calls"] == [{"index": 0, **CALL}]


@pytest.mark.parametrize(
    "body",
    [
        sse(STREAM[0]),
        sse(STREAM[0], chunk({"content": "fl"})),
        sse("[DONE]"),
        b": keep-alive\n\n",
        sse(STREAM[0]) + b'data: {"cho',
        b"OK\n\n" + sse(STREAM[0]),
        json.dumps(STREAM[0]).encode(),
        json.dumps(STREAM[0]).encode() + b"\n",
    ],
)
def test_a_stream_that_just_ends_is_truncated(body: bytes) -> None:
    """Without `[DONE]` or a reason nobody knows whether more was to come."""
    with pytest.raises(CallError) as caught:
        decode(body)
    assert caught.value.kind is Kind.TRUNCATED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"Sorry: busy",
        b"{",
        b'{"choices": [',
        b"[1, 2]",
        b"{}",
        b'{"choices": []}',
        sse("{"),
        sse('{"a'),
        b"[[[[",
        sse(*STREAM, "[DONE]").replace(b"data", b"Data"),
        b"<b>Warning</b>\n" + json.dumps(STREAM[0]).encode() + b"\n" + json.dumps(STREAM[1]).encode(),
    ],
)
async def test_an_invalid_reply_is_unparsable(body: bytes) -> None:
    """Web pages, plain words and broken JSON."""
    with pytest.raises(CallError) as caught:
        decode(body)
    assert caught.value.kind is Kind.UNPARSABLE
    with pytest.raises(CallError) as caught:
        wire.check_completion(await decode_completion(body, LIMIT, Clock()))
    assert caught.value.kind is Kind.UNPARSABLE


@pytest.mark.parametrize("head", [b'{"choices":[', b'data: {"choices":['])
async def test_a_reply_of_too_many_values_is_refused(head: bytes) -> None:
    """It would be decoded in one turn of the event loop, however many others wait."""
    body = head + b"[]," * MAX_VALUES + b"1]}\n\n"
    decoder = ReplyDecoder(len(body))
    with pytest.raises(CallError) as caught:
        assert not [*decoder.feed(body), *finish(decoder.end())]
    assert caught.value.kind is Kind.OVERSIZED
    with pytest.raises(CallError) as caught:
        await decode_completion(body, len(body), Clock())
    assert caught.value.kind is Kind.OVERSIZED


async def test_a_long_unrequested_stream_lets_others_run() -> None:
    """Assembling it pauses whenever a time slice is over."""
    clock = Clock()

    def count_time() -> float:
        clock.now += 0.001  # the work of one chunk
        return clock.now

    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    body = sse(*[chunk({"content": "x"})] * 500, chunk({}, "stop"), "[DONE]")
    completion = await decode_completion(body, LIMIT, count_time)
    counting.cancel()
    assert completion["choices"][0]["message"]["content"] == "x" * 500
    assert turns >= 500 * 0.001 / SLICE_S / 2


ERROR = {"error": {"message": "the quota is used up", "code": 429}}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (sse(ERROR), Kind.RATE_LIMITED),
        (sse(STREAM[0], ERROR), Kind.RATE_LIMITED),
        (sse({"choices": [], **ERROR}), Kind.RATE_LIMITED),
        (b"event: error\n" + sse(ERROR), Kind.RATE_LIMITED),
        (b"error: " + json.dumps(ERROR["error"]).encode() + b"\n\n", Kind.RATE_LIMITED),
        (b'event: error\ndata: {"code": 429, "details": "the quota is used up"}\n\n', Kind.RATE_LIMITED),
        (b"event: error\ndata: the quota is used up\n\n", Kind.RATE_LIMITED),
        (json.dumps(ERROR).encode(), Kind.RATE_LIMITED),
        (json.dumps(ERROR).encode() + b"\n", Kind.RATE_LIMITED),
        (json.dumps([ERROR], indent=1).encode(), Kind.RATE_LIMITED),
        (sse({"code": 429, "msg": "the quota is used up", "data": {"choices": []}}), Kind.RATE_LIMITED),
        (json.dumps({"code": 429, "msg": "the quota is used up", "data": {"choices": []}}).encode(), Kind.RATE_LIMITED),
    ],
)
def test_an_error_in_any_form_arrives_with_its_words(body: bytes, kind: Kind) -> None:
    """As JSON, as an event, in a field of its own."""
    with pytest.raises(CallError) as caught:
        decode(body)
    assert (caught.value.kind, caught.value.message) == (kind, "the quota is used up")


def test_an_event_past_the_bound_is_refused() -> None:
    """A stream can't grow without end inside one event."""
    with pytest.raises(EventTooLargeError):
        decode(sse(chunk({"content": "x" * LIMIT})))
