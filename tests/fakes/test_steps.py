"""Every answer, refusal and wrong body is sent as scripted."""

import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientResponseError

from tests.fakes import (
    FakeUpstream,
    Step,
    answer,
    context_length,
    empty,
    error_in_200,
    from_request,
    garbage,
    gzip_bomb,
    header_bomb,
    html,
    oversized,
    raw_stream,
    redirect,
    reply,
    status,
    stream_without_finish,
    tool_call,
    unstreamed,
    wrong_shape,
)
from tests.fakes.conftest import Ask, events


def deltas(chunks: list[Any]) -> list[Any]:
    """Return the deltas of the chunks that have a choice."""
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk != "[DONE]" and chunk["choices"]]


async def test_an_answer_is_a_completion(upstream: FakeUpstream, ask: Ask) -> None:
    """Without `stream` an answer is one chat.completion under the model that was asked for."""
    upstream.script("m", answer("Grüße", reasoning="hm", extra={"system_fingerprint": "fp"}))
    async with ask() as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        body = await response.json()
    assert body["object"] == "chat.completion"
    assert body["model"] == "m"
    assert body["system_fingerprint"] == "fp"
    message = {"role": "assistant", "content": "Grüße", "reasoning_content": "hm"}
    assert body["choices"] == [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]
    assert body["usage"] == {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


async def test_an_answer_is_a_stream(upstream: FakeUpstream, ask: Ask) -> None:
    """With `stream` the same answer comes as role, reasoning, content, finish, `[DONE]`, and no usage unasked."""
    upstream.script("m", answer("Grüße!", reasoning="hm", piece_chars=4))
    async with ask(stream=True) as response:
        assert response.content_type == "text/event-stream"
        chunks = events(await response.read())
    assert deltas(chunks) == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "hm"},
        {"content": "Grüß"},
        {"content": "e!"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [*[None] * 4, "stop"]
    assert {(chunk["id"], chunk["object"], chunk["created"], chunk["model"]) for chunk in chunks[:-1]} == {
        ("chatcmpl-fake", "chat.completion.chunk", 1_700_000_000, "m"),
    }
    assert not any("usage" in chunk for chunk in chunks[:-1])
    assert chunks[-1] == "[DONE]"


async def test_usage_is_streamed_on_request(upstream: FakeUpstream, ask: Ask) -> None:
    """`include_usage` gives `usage: null` on every chunk and a last one without choices."""
    upstream.script("m", answer("Hi", usage=(3, 4)))
    async with ask(stream=True, stream_options={"include_usage": True}) as response:
        *chunks, usage, done = events(await response.read())
    assert all(chunk["usage"] is None for chunk in chunks)
    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert done == "[DONE]"


async def test_tool_calls_in_both_forms(upstream: FakeUpstream, ask: Ask) -> None:
    """A tool call is whole in JSON; in a stream its id and name come first, then its arguments in pieces."""
    call = tool_call("read", '{"path": 1}', call_id="call_9")
    upstream.script("m", answer(None, tool_calls=[call], piece_chars=6))
    async with ask() as response:
        choice = (await response.json())["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": None, "tool_calls": [call]}
    assert choice["finish_reason"] == "tool_calls"
    async with ask(stream=True) as response:
        first, *calls, last = deltas(events(await response.read()))
    assert first == {"role": "assistant", "content": None}
    assert calls == [
        {"tool_calls": [{"index": 0, **tool_call("read", "", call_id="call_9")}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"path'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '": 1}'}}]},
    ]
    assert last == {}


async def test_keys_can_be_left_out_or_added(upstream: FakeUpstream, ask: Ask) -> None:
    """Keys can be left out, choices and messages overlaid, content be parts, and `n` be more than one."""
    parts = [{"type": "text", "text": "Hi "}, {"type": "text", "text": "you"}]
    step = answer(
        parts,
        usage=None,
        without=("id", "logprobs"),
        choice={"finish_reason": "length"},
        message={"refusal": None},
    )
    upstream.script("m", step)
    async with ask(n=2) as response:
        body = await response.json()
    assert set(body) == {"object", "created", "model", "choices"}
    message = {"role": "assistant", "content": parts, "refusal": None}
    assert body["choices"] == [{"index": index, "message": message, "finish_reason": "length"} for index in (0, 1)]
    async with ask(stream=True) as response:
        chunks = events(await response.read())
    assert "".join(delta.get("content", "") for delta in deltas(chunks)) == "Hi you"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None, None, None, "length"]


async def test_an_answer_made_from_the_request(upstream: FakeUpstream, ask: Ask) -> None:
    """`from_request` turns the parsed body into a text or into another step."""
    upstream.script(
        "m",
        from_request(lambda body: body["messages"][0]["content"].upper()),
        from_request(lambda body: status(body["seed"])),
    )
    async with ask() as response:
        assert (await response.json())["choices"][0]["message"]["content"] == "WHY?"
    async with ask(seed=418) as response:
        assert response.status == 418


async def test_a_refusal_has_its_status_and_headers(upstream: FakeUpstream, ask: Ask) -> None:
    """A refusal has its status, Retry-After and headers, and an OpenAI error unless another body was given."""
    upstream.script(
        "m",
        status(503, retry_after=2),
        status(429, body={"detail": "no"}, headers={"x-limit": "0"}),
        status(502, body=b"bad"),
    )
    async with ask(stream=True) as response:
        assert (response.status, response.headers["retry-after"]) == (503, "2")
        assert set((await response.json())["error"]) == {"message", "type", "param", "code"}
    async with ask() as response:
        assert (response.status, response.headers["x-limit"]) == (429, "0")
        assert "retry-after" not in response.headers
        assert await response.json() == {"detail": "no"}
    async with ask() as response:
        assert (response.status, await response.read()) == (502, b"bad")


async def test_context_length_and_redirect_have_their_status(upstream: FakeUpstream, ask: Ask) -> None:
    """The one is the 400 of OpenAI, the other points elsewhere."""
    upstream.script("m", context_length(), redirect("http://127.0.0.1:1/elsewhere"))
    async with ask() as response:
        error = (await response.json())["error"]
        assert response.status == 400
    assert error["code"] == "context_length_exceeded"
    assert error["message"].startswith("This model's maximum context length is 8192 tokens.")
    async with ask() as response:
        assert (response.status, response.headers["location"]) == (307, "http://127.0.0.1:1/elsewhere")


@pytest.mark.parametrize("value", [[], None, {"choices": []}, {"choices": [{"message": None}]}, "text"])
async def test_json_of_another_shape_is_sent(upstream: FakeUpstream, ask: Ask, value: Any) -> None:
    """JSON of another shape is the body, or the one event of a stream."""
    upstream.script("m", wrong_shape(value))
    async with ask() as response:
        assert (response.status, await response.json()) == (200, value)
    async with ask(stream=True) as response:
        assert events(await response.read()) == [value, "[DONE]"]


async def test_bodies_that_are_no_json(upstream: FakeUpstream, ask: Ask) -> None:
    """Garbage does not parse in either form; a web page comes as one, also where a stream was asked for."""
    upstream.script("m", garbage(), garbage(), html(), reply(b""))
    async with ask() as response:
        assert response.content_type == "application/json"
        with pytest.raises(json.JSONDecodeError):
            json.loads(await response.read())
    async with ask(stream=True) as response:
        assert response.content_type == "text/event-stream"
        garbled, done, _ = (await response.read()).split(b"\n\n")
    with pytest.raises(json.JSONDecodeError):
        json.loads(garbled.removeprefix(b"data: "))
    assert done == b"data: [DONE]"
    async with ask(stream=True) as response:
        assert (response.status, response.content_type) == (200, "text/html")
        assert (await response.read()).startswith(b"<!DOCTYPE html>")
    async with ask() as response:
        assert (response.headers["content-length"], await response.read()) == ("0", b"")


async def test_an_empty_answer_has_no_content(upstream: FakeUpstream, ask: Ask) -> None:
    """A whole completion, or a whole stream, with nothing in it."""
    upstream.script("m", empty())
    async with ask() as response:
        assert (await response.json())["choices"][0]["message"]["content"] == ""
    async with ask(stream=True) as response:
        assert deltas(events(await response.read())) == [{"role": "assistant", "content": ""}, {}]


async def test_an_error_under_200(upstream: FakeUpstream, ask: Ask) -> None:
    """The error is the body, the only event, or the last event behind some chunks."""
    upstream.script("m", error_in_200(429, "slow down", after_chunks=2))
    async with ask() as response:
        assert response.status == 200
        error = await response.json()
    assert error == {"error": {"message": "slow down", "type": "server_error", "param": None, "code": 429}}
    async with ask(stream=True) as response:
        chunks = events(await response.read())
    assert len(deltas(chunks[:2])) == 2
    assert chunks[2:] == [error]


async def test_the_finish_reason_can_be_left_out(upstream: FakeUpstream, ask: Ask) -> None:
    """Neither the completion nor any chunk has one; `[DONE]` comes only where it was asked for."""
    upstream.script("m", stream_without_finish("Hi"), stream_without_finish("Hi"), stream_without_finish(done=True))
    async with ask() as response:
        assert "finish_reason" not in (await response.json())["choices"][0]
    async with ask(stream=True) as response:
        chunks = events(await response.read())
    assert deltas(chunks) == [{"role": "assistant", "content": ""}, {"content": "Hi"}]
    assert not any("finish_reason" in chunk["choices"][0] for chunk in chunks)
    async with ask(stream=True) as response:
        assert events(await response.read())[-1] == "[DONE]"


async def test_json_may_answer_a_request_for_a_stream(upstream: FakeUpstream, ask: Ask) -> None:
    """`unstreamed` answers as if the request had no `stream`."""
    upstream.script("m", unstreamed(answer()))
    async with ask(stream=True) as response:
        assert (await response.json())["object"] == "chat.completion"


async def test_oversized_answers_have_the_requested_size(upstream: FakeUpstream, ask: Ask) -> None:
    """The text has the size that was asked for: in JSON, in one delta, or in many."""
    upstream.script("m", oversized(200_000), oversized(200_000), oversized(200_000, delta_bytes=70_000))
    async with ask() as response:
        assert len((await response.json())["choices"][0]["message"]["content"]) == 200_000
    for sizes in ([200_000], [70_000, 70_000, 60_000]):
        async with ask(stream=True) as response:
            _, *middle, _ = deltas(events(await response.read()))
        assert [len(delta["content"]) for delta in middle] == sizes


@pytest.mark.parametrize("stream", [False, True])
async def test_a_gzip_bomb_is_small_on_the_wire(upstream: FakeUpstream, ask: Ask, *, stream: bool) -> None:
    """Few bytes go over the wire, and unpack to a good answer of many."""
    upstream.script("m", gzip_bomb(1 << 20))
    async with ask(stream=stream) as response:
        assert response.headers["content-encoding"] == "gzip"
        packed = await response.read()
    assert len(packed) < 1 << 14
    unpacked = zlib.decompress(packed, wbits=31)
    assert len(unpacked) > 1 << 20
    assert events(unpacked)[-1] == "[DONE]" if stream else json.loads(unpacked)["choices"]


async def test_a_header_bomb_exceeds_the_client_s_limit(upstream: FakeUpstream, ask: Ask) -> None:
    """One header is longer than aiohttp's client reads."""
    upstream.script("m", header_bomb())
    with pytest.raises(ClientResponseError, match=r"(?i)more than \d+ bytes"):
        async with ask():
            pass


async def test_exact_bytes_of_a_stream(upstream: FakeUpstream, ask: Ask) -> None:
    """Each piece is an HTTP chunk of its own, with split UTF-8, CRLF, comments and long lines left as they are."""
    euro = "€".encode()
    pieces = [
        b"data:{}\r\n\r\n",
        b": comment\n",
        b"data: " + euro[:1],
        euro[1:] + b"\ndata: b\n\n",
        b"data: " + b"x" * (1 << 20) + b"\n\n",
    ]
    upstream.script("m", raw_stream(pieces))
    seen = [b""]
    async with ask(stream=True) as response:
        async for data, ends_chunk in response.content.iter_chunks():
            seen[-1] += data
            if ends_chunk:
                seen.append(b"")
    assert seen == [*pieces, b""]


@pytest.mark.parametrize("make", [garbage, empty, html, context_length, error_in_200, gzip_bomb])
async def test_every_step_repeats(upstream: FakeUpstream, ask: Ask, make: Callable[[], Step]) -> None:
    """A step is a value: played twice, it sends the same bytes twice."""
    upstream.script("m", make())
    bodies = []
    for _ in range(2):
        async with ask() as response:
            bodies.append(await response.read())
    assert bodies[0] == bodies[1]
