"""An upstream that speaks Anthropic's Messages, over a real socket: asked by clients of every API."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from tests.running import Gateway, model, running, settings

THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"path": "a.py"}}
USAGE = {"input_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2, "output_tokens": 7}
MARK = {"cache_control": {"type": "ephemeral"}}
TOOL = {"name": "look", "description": "d", "input_schema": {"type": "object"}, **MARK}


@dataclass
class FakeAnthropic:
    """Answers each request with `blocks`, as a message or as its events; or with an error of `status`."""

    blocks: Sequence[dict[str, Any]] = ({"type": "text", "text": "Forty-two."},)
    stop_reason: str = "end_turn"
    status: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        if self.status != 200:
            error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            return web.json_response(error, status=self.status)
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "usage": USAGE}
        message |= {"stop_reason": self.stop_reason, "stop_sequence": None}
        if not body.get("stream"):
            return web.json_response({**message, "content": self.blocks})
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        for event in self.events(message):
            await reply.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        return reply

    async def count(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        return web.json_response({"input_tokens": 1234}, status=self.status)

    def events(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        begun = {**message, "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}}
        found: list[dict[str, Any]] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
        for index, block in enumerate(self.blocks):
            empty, deltas = _pieces(block)
            found.append({"type": "content_block_start", "index": index, "content_block": empty})
            found += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
            found.append({"type": "content_block_stop", "index": index})
        delta = {"stop_reason": self.stop_reason, "stop_sequence": None}
        found.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7}})
        return [*found, {"type": "message_stop"}]


def _pieces(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": each} for each in block["text"].split("-")]
        case "thinking":
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {"type": "thinking", "thinking": ""}, [{"type": "thinking_delta", "thinking": "Hm."}, signed]
        case _:
            text = json.dumps(block["input"])
            parts = [text[:5], text[5:]]
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": each} for each in parts]


@asynccontextmanager
async def serving(fake: FakeAnthropic) -> AsyncGenerator[str]:
    """Serve the fake on 127.0.0.1, and yield its base URL."""
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/messages", fake.handle)
    app.router.add_post("/v1/messages/count_tokens", fake.count)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def gateway_over(fake: FakeAnthropic) -> AsyncGenerator[Gateway]:
    async with (
        serving(fake) as base_url,
        running(settings([model("claude", base_url, api="messages", retries=0)])) as gateway,
    ):
        yield gateway


async def post(gateway: Gateway, path: str, **body: Any) -> Any:
    data = json.dumps({"model": "claude", **body}).encode()
    return await gateway.request("POST", path, headers={"Content-Type": "application/json"}, data=data)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_client_is_answered_by_messages(stream: bool) -> None:
    """Text, thinking, tool calls, stop reason and usage with cache counts arrive in the form of Chat Completions."""
    fake = FakeAnthropic([THINKING, {"type": "text", "text": "I look."}, CALL], stop_reason="tool_use")
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    question = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    async with gateway_over(fake) as gateway:
        reply = await post(
            gateway,
            "/v1/chat/completions",
            messages=question,
            tools=tools,
            stop="END",
            stream=stream,
            stream_options={"include_usage": True},
        )
    (body,) = fake.bodies
    assert body["system"] == [{"type": "text", "text": "Be brief.", **MARK}]
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Why?", **MARK}]}]
    assert (body["max_tokens"], body["stop_sequences"]) == (8192, ["END"])
    assert body["tools"] == [{"name": "look", "input_schema": {"type": "object"}, **MARK}]
    assert not body.keys() & {"stop", "stream_options", "n"}
    assert (fake.headers[0]["x-api-key"][:9], fake.headers[0]["anthropic-version"]) == ("sk-canary", "2023-06-01")
    assert "Authorization" not in fake.headers[0]
    if stream:
        usage = reply.events[-2]["usage"]
        assert (reply.streamed(), reply.streamed("reasoning_content")) == ("I look.", "Hm.")
        calls = [
            each for event in reply.events[:-1] for c in event["choices"] for each in c["delta"].get("tool_calls", ())
        ]
        reasons = [c["finish_reason"] for event in reply.events[:-1] for c in event["choices"] if c["finish_reason"]]
    else:
        (choice,) = reply.json["choices"]
        usage, calls, reasons = reply.json["usage"], choice["message"]["tool_calls"], [choice["finish_reason"]]
        assert (choice["message"]["content"], choice["message"]["reasoning_content"]) == ("I look.", "Hm.")
        assert choice["message"]["thinking_blocks"] == [THINKING]
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [CALL["input"]]
    assert reasons == ["tool_calls"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (10, 7)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 5, "cache_write_tokens": 2}


async def test_a_messages_client_loses_nothing_on_the_way_to_messages() -> None:
    """Its system blocks, messages with cache marks and signatures, tools and thinking arrive as it sent them."""
    fake = FakeAnthropic()
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x", "is_error": True}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Why?", "cache_control": {"type": "ephemeral"}}]},
        {"role": "system", "content": "You are in /tmp."},
        {"role": "assistant", "content": [THINKING, CALL]},
        {"role": "user", "content": [result]},
    ]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    async with gateway_over(fake) as gateway:
        reply = await post(
            gateway,
            "/v1/messages",
            system=system,
            messages=messages,
            max_tokens=2000,
            thinking=thinking,
            tools=[TOOL],
            metadata={"user_id": "secret"},
        )
    (body,) = fake.bodies
    expected = {"system": system, "messages": messages, "thinking": thinking, "tools": [TOOL], "max_tokens": 2000}
    assert {name: body[name] for name in expected} == expected
    assert "metadata" not in body
    assert reply.json["content"] == [{"type": "text", "text": "Forty-two."}]
    assert {name: reply.json["usage"][name] for name in USAGE} == USAGE


@pytest.mark.parametrize("stream", [False, True])
async def test_signed_thinking_reaches_a_messages_client(stream: bool) -> None:
    """With its signature, which the next turn needs, and before the call that it belongs to."""
    fake = FakeAnthropic([THINKING, CALL], stop_reason="tool_use")
    async with gateway_over(fake) as gateway:
        reply = await post(
            gateway, "/v1/messages", messages=[{"role": "user", "content": "Why?"}], tools=[TOOL], stream=stream
        )
    if not stream:
        assert reply.status == 200, reply.raw
        assert (reply.json["content"], reply.json["stop_reason"]) == ([THINKING, CALL], "tool_use")
        return
    events = [json.loads(block.partition("\ndata: ")[2]) for block in reply.raw.decode().split("\n\n") if block]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert [delta.get("signature") for delta in deltas if delta["type"] == "signature_delta"] == ["sig"]
    assert "".join(delta.get("thinking", "") for delta in deltas) == "Hm."
    assert "".join(delta.get("partial_json", "") for delta in deltas) == '{"path":"a.py"}'
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


async def test_an_overloaded_upstream_is_named_in_its_own_words() -> None:
    """529 is a failure that may pass; its message reaches the client."""
    async with gateway_over(FakeAnthropic(status=529)) as gateway:
        reply = await post(gateway, "/v1/chat/completions", messages=[{"role": "user", "content": "Why?"}])
    assert reply.status == 502
    assert "Overloaded" in reply.error["message"]


@pytest.mark.parametrize(("status", "counted"), [(200, {"input_tokens": 1234}), (500, None)])
async def test_tokens_are_counted_by_the_upstream_that_can(status: int, counted: dict[str, Any] | None) -> None:
    """Else the count is an estimate, and says so."""
    fake = FakeAnthropic(status=status)
    question = [{"role": "user", "content": "Why?"}]
    async with gateway_over(fake) as gateway:
        reply = await post(gateway, "/v1/messages/count_tokens", messages=question, tools=[TOOL])
    assert fake.bodies == [{"model": "claude", "messages": question, "tools": [TOOL]}]
    assert reply.json == (counted or {"input_tokens": reply.json["input_tokens"], "mom": {"estimated": True}})
