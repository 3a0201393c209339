"""Streams as a client sees them: the same answer as in JSON, committed late, ended honestly."""

import asyncio
from typing import Any

import pytest

from config.settings import Critic, Server, Settings
from tests.fakes import (
    FakeUpstream,
    after,
    answer,
    drop_mid_stream,
    from_request,
    hang,
    raw_stream,
    stall_mid_stream,
    status,
    stream_without_finish,
)
from tests.running import ask, model, running, settings


def two_and_critic(upstream: FakeUpstream, *critic: Any, **mixture: Any) -> Settings:
    """Return settings whose panel disagrees, with `critic` as the critic's script."""
    upstream.script("a", answer("one"))
    upstream.script("b", answer("two"))
    upstream.script("c", *critic)
    models = [model(name, upstream, retries=0) for name in "abcd"]
    return settings(models, **{"panel": ("a", "b"), "critic": Critic("c"), **mixture})


async def test_a_stream_has_openais_form(upstream: FakeUpstream) -> None:
    """Role, deltas as the critic writes them, finish reason, usage when asked, [DONE]; one id on all."""
    config = two_and_critic(upstream, answer("one and two", usage=(50, 9)))
    async with running(config) as gateway:
        reply = await gateway.chat(ask(stream=True, stream_options={"include_usage": True}, model="mom"))
    assert reply.headers["content-type"].startswith("text/event-stream")
    *chunks, last, done = reply.events
    assert done == "[DONE]"
    assert {(chunk["id"], chunk["created"], chunk["model"]) for chunk in [*chunks, last]} == {
        (last["id"], last["created"], "mom")
    }
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert reply.streamed() == "one and two"
    assert len(chunks) > 3
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert last["choices"] == []
    assert (last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]) == (11, 9)
    assert last["usage"]["mom"]["calls"] == 3


async def test_without_being_asked_no_usage_is_sent(upstream: FakeUpstream) -> None:
    """Clients that did not ask do not expect a chunk without choices."""
    async with running(two_and_critic(upstream, answer("x"))) as gateway:
        reply = await gateway.chat(ask(stream=True))
    assert all(event["choices"] for event in reply.events[:-1])


@pytest.mark.parametrize("fault", [status(500), drop_mid_stream(1), stream_without_finish(""), status(429)])
async def test_a_critic_that_fails_before_its_first_word_is_replaced(upstream: FakeUpstream, fault: Any) -> None:
    """The fallback writes, and the client sees nothing of it."""
    config = two_and_critic(upstream, fault, critic=Critic("c", fallbacks=("d",)))
    upstream.script("d", answer("fallback"))
    async with running(config) as gateway:
        reply = await gateway.chat(ask(stream=True))
    assert reply.streamed() == "fallback"
    assert reply.events[-1] == "[DONE]"


async def test_the_best_candidate_is_streamed_when_no_critic_speaks(upstream: FakeUpstream) -> None:
    """A whole candidate comes in pieces that join to it byte for byte."""
    text = "one\n\tline \u2028 " * 40
    config = two_and_critic(upstream, status(500))
    upstream.script("a", answer(text))
    async with running(config) as gateway:
        reply = await gateway.chat(ask(stream=True))
    assert reply.streamed() == text
    assert len(reply.events) > 5


@pytest.mark.parametrize(
    "fault", [drop_mid_stream(4, step=answer("half an answer")), stream_without_finish("half"), stall_mid_stream(4)]
)
async def test_a_stream_that_breaks_ends_with_an_error_event(upstream: FakeUpstream, fault: Any) -> None:
    """After the first word only an error in OpenAI's shape can follow, and no [DONE]."""
    config = two_and_critic(upstream, fault)
    slow = tuple(model(each.name, upstream, retries=0, timeout_s=0.5) for each in config.models)
    async with running(settings(slow, panel=("a", "b"), critic=Critic("c", fallbacks=("d",)))) as gateway:
        reply = await gateway.chat(ask(stream=True))
    assert reply.status == 200
    assert "error" in reply.events[-1]
    assert reply.events[-1]["error"]["message"].startswith("the answer broke off: c: ")
    assert upstream.requests_for("d") == []


async def test_a_stream_of_copied_drafts_ends_with_an_error(upstream: FakeUpstream) -> None:
    """The text cannot be taken back, but the stream does not end as an answer."""
    config = two_and_critic(upstream, from_request(lambda body: str(body["messages"][0]["content"])))
    async with running(config) as gateway:
        reply = await gateway.chat(ask(stream=True))
    assert "repeats the drafts" in reply.events[-1]["error"]["message"]


@pytest.mark.parametrize(("finish_reason", "code"), [("length", "def f(x):"), ("stop", "def f(x: return x")])
@pytest.mark.parametrize(
    ("path", "extra", "ends"),
    [
        ("chat/completions", {}, {"length": '"finish_reason":"length"', "stop": '"finish_reason":"stop"'}),
        ("messages", {"max_tokens": 99}, {"length": '"stop_reason":"max_tokens"', "stop": '"stop_reason":"end_turn"'}),
        ("responses", {}, {"length": "response.incomplete", "stop": "response.completed"}),
    ],
)
async def test_code_that_breaks_its_form_ends_as_it_would_without_the_gateway(
    upstream: FakeUpstream, path: str, extra: dict[str, Any], ends: dict[str, str], finish_reason: str, code: str
) -> None:
    """What has been sent stays, and the stream ends with the model's own finish reason; the model is asked once."""
    text = f"```python\n{code}\n" + ("```" if finish_reason == "stop" else "")
    upstream.default = answer(text, finish_reason=finish_reason)
    ask_for_code = {"role": "user", "content": "Write f. Reply with only one code block."}
    body = {"model": "mom", "stream": True, "input" if path == "responses" else "messages": [ask_for_code], **extra}
    config = settings([model("a", upstream)], mode="direct")
    async with running(config) as gateway:
        reply = await gateway.request("POST", f"/v1/{path}", json=body)
        assert len(upstream.requests) == 1
        whole = await gateway.request("POST", f"/v1/{path}", json={**body, "stream": False})
    sent = reply.raw.decode().replace('": ', '":')
    assert (reply.status, whole.status) == (200, 200)
    assert ends[finish_reason] in sent
    assert "error" not in sent.replace('"error":null', "")
    if path == "chat/completions":
        assert (reply.streamed(), reply.events[-1]) == (text, "[DONE]")


async def test_an_error_before_the_first_byte_is_a_json_reply(upstream: FakeUpstream) -> None:
    """The reply is committed with the first content."""
    upstream.default = status(500)
    async with running(settings([model("a", upstream, retries=0)])) as gateway:
        reply = await gateway.chat(ask(stream=True))
    assert reply.status == 502
    assert reply.headers["content-type"].startswith("application/json")


async def test_heartbeats_keep_a_waiting_stream_alive(upstream: FakeUpstream) -> None:
    """After stream_heartbeat_s the headers go out, and comments follow until the critic speaks."""
    gate = asyncio.Event()
    upstream.default = after(gate, answer("late"))
    config = settings([model("a", upstream)], server=Server(port=0, stream_heartbeat_s=0.01))
    async with running(config) as gateway, gateway.open(ask(stream=True)) as response:
        assert await response.content.readuntil(b"\n\n") == b": keep-alive\n\n"
        gate.set()
        rest = await response.read()
    assert rest.endswith(b"data: [DONE]\n\n")


async def test_an_error_after_a_heartbeat_is_an_event(upstream: FakeUpstream) -> None:
    """The status has gone out as 200 by then."""
    gate = asyncio.Event()
    upstream.default = after(gate, status(500))
    config = settings([model("a", upstream, retries=0)], server=Server(port=0, stream_heartbeat_s=0.01))
    async with running(config) as gateway, gateway.open(ask(stream=True)) as response:
        await response.content.readuntil(b"\n\n")
        gate.set()
        assert b'data: {"error": {' in await response.read()


async def test_heartbeats_keep_a_waiting_json_reply_alive(upstream: FakeUpstream) -> None:
    """White space precedes the body, and an error is in the body."""
    gate = asyncio.Event()
    upstream.script("a", after(gate, answer("late")), status(500))
    config = settings([model("a", upstream, retries=0)], server=Server(port=0, json_heartbeat_s=0.01))
    async with running(config) as gateway:
        async with gateway.open(ask()) as response:
            assert await response.content.readexactly(1) == b" "
            gate.set()
            assert (await response.json())["choices"][0]["message"]["content"] == "late"
        upstream.script("a", after(second := asyncio.Event(), status(500)))
        async with gateway.open(ask()) as response:
            await response.content.readexactly(1)
            second.set()
            assert response.status == 200
            assert (await response.json())["error"]["code"] == "upstream_error"


async def test_a_client_that_leaves_a_stream_cancels_the_critic(upstream: FakeUpstream) -> None:
    """The critic's connection is closed when the reader goes, before and after the first word."""
    for fault in (hang(), stall_mid_stream(3)):
        config = two_and_critic(upstream, fault)
        async with running(config) as gateway:
            asking = asyncio.create_task(gateway.chat(ask(stream=True)))
            seen = len(upstream.requests)
            request = (await upstream.wait_for(seen + 3))[-1]
            asking.cancel()
            await asyncio.wait_for(request.disconnected.wait(), 30)


async def test_reasoning_and_work_are_shown_only_on_request(upstream: FakeUpstream) -> None:
    """show_reasoning passes on the critic's reasoning, show_work the panel's progress; both are off by default."""
    critic = answer("said", reasoning="thought")
    async with running(two_and_critic(upstream, critic)) as gateway:
        assert (await gateway.chat(ask(stream=True))).streamed("reasoning_content") == ""
        assert "reasoning_content" not in (await gateway.chat()).json["choices"][0]["message"]
    async with running(two_and_critic(upstream, critic, show_reasoning=True)) as gateway:
        assert (await gateway.chat(ask(stream=True))).streamed("reasoning_content") == "thought"
        assert (await gateway.chat()).json["choices"][0]["message"]["reasoning_content"] == "thought"
    async with running(two_and_critic(upstream, critic, show_work=True)) as gateway:
        for body in (ask(stream=True), ask()):
            reply = await gateway.chat(body)
            message = {} if body.get("stream") else reply.json["choices"][0]["message"]
            work = message.get("reasoning_content") or reply.streamed("reasoning_content")
            assert "a answered" in work
            assert "c writes the answer" in work
            assert "thought" not in work


async def test_streaming_can_be_switched_off(upstream: FakeUpstream) -> None:
    """With `server: {streaming: reject}`."""
    config = settings([model("a", upstream)], server=Server(port=0, streaming="reject"))
    async with running(config) as gateway:
        reply = await gateway.chat(ask(stream=True))
    assert (reply.status, reply.error["param"], reply.error["code"]) == (400, "stream", "unsupported_value")


async def test_a_single_model_streams_straight_through(upstream: FakeUpstream) -> None:
    """By its own name, with its reasoning."""
    upstream.default = answer("hello", reasoning="hm")
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat(ask(stream=True, model="a"))
    assert (reply.streamed(), reply.streamed("reasoning_content")) == ("hello", "hm")
    assert upstream.requests[0].body["stream"] is True


async def test_odd_wire_bytes_are_read_right(upstream: FakeUpstream) -> None:
    """UTF-8 cut inside a character, CRLF, comments, several data lines, no space after the colon, a MiB in one line."""
    long = "x" * 2**20
    head, tail = '{"choices":[{"index":0,"delta":{"content":"', '"}}]}'
    smile = "\U0001f600".encode()
    pieces = [
        b": hello\r\n\r\n",
        b"data:" + head.encode() + smile[:2],
        smile[2:] + tail.encode() + b"\r\n\r\n",
        b'data: {"choices":[{"index":0,\ndata: "delta":{"content":"two lines"}}]}\n\n',
        f"data: {head}{long}{tail}\n\n".encode(),
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    ]
    upstream.default = raw_stream(pieces)
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat(ask(stream=True, model="a"))
    assert reply.streamed() == "\U0001f600two lines" + long


async def test_a_slow_reader_holds_the_upstream_back(upstream: FakeUpstream) -> None:
    """The gateway reads no faster than the client does, so memory stays bounded."""
    block = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 2**16 + b'"}}]}\n\n'
    upstream.default = raw_stream([block] * 400)
    config = settings([model("a", upstream)])
    async with running(config) as gateway, gateway.open(ask(stream=True, model="a")) as response:
        request = (await upstream.wait_for(1))[0]
        await response.content.readany()
        for _ in range(200):
            await asyncio.sleep(0)
        assert not request.finished.is_set()
        response.close()
        await asyncio.wait_for(request.finished.wait(), 30)
