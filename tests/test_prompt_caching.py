"""Prompt caching over real sockets: a session of 30 turns, whose requests begin as those of the turn before."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web

from config.settings import Critic, Model
from eval.agents.session import list_tools, read_turns
from runtime.json_codec import encode
from synth.request import Message
from tests.fakes import FakeUpstream, answer, status
from tests.running import ask, model, panel_of, running, settings

MARK = b',"cache_control"'
USAGE = {"input_tokens": 3, "cache_read_input_tokens": 6, "cache_creation_input_tokens": 1, "output_tokens": 7}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "list_files", "input": {"path": "."}}


class FakeMessages:
    """An upstream that speaks Messages; it keeps the bytes of each request, and may refuse breakpoints."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.refuses_breakpoints = False

    async def handle(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.raw.append(raw)
        if self.refuses_breakpoints and MARK in raw:
            words = "messages.0.content.0.cache_control: Extra inputs are not permitted"
            error = {"type": "error", "error": {"type": "invalid_request_error", "message": words}}
            return web.json_response(error, status=400)
        block = CALL if b'"tools"' in raw else {"type": "text", "text": "Yes."}
        reason = "tool_use" if block is CALL else "end_turn"
        head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "usage": USAGE}
        return web.json_response({**head, "content": [block], "stop_reason": reason, "stop_sequence": None})

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[str]:
        app = web.Application()
        app.router.add_post("/v1/messages", self.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        finally:
            await runner.cleanup()


def chat_turns(n: int = 30) -> list[list[Message]]:
    """Return the conversations of a session without tools, each beginning with the one before."""
    messages: list[Message] = [{"role": "system", "content": "Be brief."}]
    turns: list[list[Message]] = []
    for number in range(n):
        messages.append({"role": "user", "content": f"Question {number}?"})
        turns.append([*messages])
        messages.append({"role": "assistant", "content": f"Answer {number}."})
    return turns


def find_breakpoint(raw: bytes, conversation: Sequence[Message]) -> bytes:
    """Return a request up to its last breakpoint, or to the end of the client's conversation if it has none."""
    if MARK in raw:
        return raw[: raw.rindex(MARK)]
    beginning = b'{"messages":[' + b",".join(encode(message) for message in conversation)
    return beginning[: -len(b'"}')]


def assert_begins_alike(requests: Sequence[bytes], turns: Sequence[Sequence[Message]]) -> None:
    assert len(requests) == len(turns)
    for (before, after), turn in zip(pairwise(requests), turns, strict=False):
        kept = find_breakpoint(before, turn)
        assert before.startswith(kept)
        assert after.startswith(kept), (kept[-300:], after[len(kept) - 300 : len(kept) + 100])
    assert len(find_breakpoint(requests[-1], turns[-1])) > len(find_breakpoint(requests[0], turns[0])) + 500


def openrouter(name: str, upstream: FakeUpstream, of: str = "anthropic/claude") -> Model:
    return model(name, upstream, provider="openrouter", model=of)


@pytest.mark.parametrize("advice", ["prose", "transcript"])
@pytest.mark.parametrize("actor", ["messages", "parts", "key"])
async def test_the_actor_s_requests_of_a_session_begin_alike(upstream: FakeUpstream, actor: str, advice: Any) -> None:
    """Thirty turns with tools, three members that advise on each, and the critic that acts."""
    turns = [turn.messages for turn in read_turns()]
    fake = FakeMessages()
    call = {"id": "c", "type": "function", "function": {"name": "list_files", "arguments": '{"path": "."}'}}
    upstream.script("actor", answer("", tool_calls=[call], finish_reason="tool_calls"))
    upstream.script("anthropic/claude", answer("", tool_calls=[call], finish_reason="tool_calls"))
    async with fake.running() as url:
        actors = {
            "messages": model("actor", url, api="messages"),
            "parts": openrouter("actor", upstream),
            "key": model("actor", upstream, provider="openai"),
        }
        members = [model(name, upstream) for name in "abc"]
        config = settings(
            [actors[actor], *members],
            panel=panel_of("a", "b", "c"),
            critic=Critic("actor"),
            tools_fan_out="every_turn",
            tools_advice=advice,
        )
        async with running(config) as gateway:
            for turn in turns:
                reply = await gateway.chat({"model": "mom", "messages": turn, "tools": list_tools()})
                assert reply.json["choices"][0]["finish_reason"] == "tool_calls"
    name = "anthropic/claude" if actor == "parts" else "actor"
    requests = fake.raw if actor == "messages" else [each.raw for each in upstream.requests_for(name)]
    assert_begins_alike(requests, turns)
    assert all(b"advi" in raw or b"draft" in raw for raw in requests)  # what members wrote is behind it
    n_marks = {"messages": 3, "parts": 2, "key": 0}[actor]
    assert [raw.count(MARK) for raw in requests] == [n_marks] * len(requests)
    if advice == "transcript":
        assert_begins_alike([each.raw for each in upstream.requests_for("b")], turns)


async def test_the_requests_of_each_member_begin_alike(upstream: FakeUpstream) -> None:
    """Thirty turns without tools: three members at three kinds of providers, and a critic that reads their drafts."""
    turns, fake = chat_turns(), FakeMessages()
    upstream.script("anthropic/claude", answer("Perhaps."))
    upstream.script("gpt", answer("No."))
    async with fake.running() as url:
        members = [
            model("claude", url, api="messages"),
            openrouter("routed", upstream),
            model("gpt", upstream, provider="openai"),
        ]
        config = settings(
            [*members, openrouter("critic", upstream, "google/gemini-pro")],
            panel=panel_of("claude", "routed", "gpt"),
            critic=Critic("critic"),
        )
        async with running(config) as gateway:
            for turn in turns:
                assert (await gateway.chat({"model": "mom", "messages": turn})).status == 200
    assert_begins_alike(fake.raw, turns)
    for name in ("anthropic/claude", "gpt", "google/gemini-pro"):
        assert_begins_alike([each.raw for each in upstream.requests_for(name)], turns)
    keys = {each.body["prompt_cache_key"] for each in upstream.requests_for("gpt")}
    assert len(keys) == 1


@pytest.mark.parametrize(
    "refused",
    ["messages.1.content.0.cache_control: Extra inputs are not permitted", "Unknown parameter: 'cache_control'."],
)
async def test_a_refused_breakpoint_costs_no_answer(upstream: FakeUpstream, refused: str) -> None:
    """The model is asked again without it, in that call and in all later ones."""
    error = status(400, body={"error": {"message": refused}})
    upstream.script("anthropic/claude", error, answer("Yes."))
    async with running(settings([openrouter("a", upstream)])) as gateway:
        for _ in range(2):
            assert (await gateway.chat({**ask(), "model": "a"})).text == "Yes."
    assert [MARK in each.raw for each in upstream.requests] == [True, False, False]


async def test_a_refusal_in_messages_costs_no_answer() -> None:
    """Upstreams that speak Messages and know no breakpoints lose none of their answers, with tools neither."""
    fake = FakeMessages()
    fake.refuses_breakpoints = True
    async with fake.running() as url, running(settings([model("a", url, api="messages")])) as gateway:
        for more in ({}, {"tools": list_tools()}):
            reply = await gateway.chat({**ask(), "model": "a", **more})
            assert reply.status == 200
        native = {
            "model": "a",
            "max_tokens": 9,
            "system": "Be brief.",
            "messages": [{"role": "user", "content": "Why?"}],
        }
        assert (await gateway.request("POST", "/v1/messages", json=native)).status == 200
    assert [MARK in raw for raw in fake.raw] == [True, False, False, False]


async def test_a_refused_cache_key_costs_no_answer(upstream: FakeUpstream) -> None:
    """As any other parameter that a model does not know."""
    upstream.script(
        "a",
        status(400, body={"error": {"message": "Unrecognized request argument supplied: prompt_cache_key"}}),
        answer("Yes."),
    )
    async with running(settings([model("a", upstream, provider="openai")])) as gateway:
        assert (await gateway.chat({**ask(), "model": "a"})).text == "Yes."
    assert ["prompt_cache_key" in each.body for each in upstream.requests] == [True, False]


@pytest.mark.parametrize(
    "system",
    ["Be brief.", [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]],
)
async def test_a_messages_client_s_own_words_stay_as_they_are(upstream: FakeUpstream, system: Any) -> None:
    """Its own breakpoints are kept, and no others are set beside them; the critic's block follows behind."""
    marked = not isinstance(system, str)
    result = {"type": "tool_result", "tool_use_id": "t", "content": "12 files"}
    messages = [
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {}}]},
        {"role": "user", "content": [result, {"type": "text", "text": "Now answer."}]},
    ]
    fake = FakeMessages()
    async with fake.running() as url:
        models = [model("a", url, api="messages"), model("b", upstream)]
        config = settings(models, critic=Critic("a"), mode="fuse", tools_fan_out="every_turn")
        async with running(config) as gateway:
            body = {"model": "mom", "max_tokens": 99, "system": system, "messages": messages}
            assert (await gateway.request("POST", "/v1/messages", json=body)).status == 200
    member, critic = map(json.loads, sorted(fake.raw, key=len))
    if marked:
        assert (member["messages"], member["system"]) == (messages, system)
        assert critic["messages"][:-1] == messages[:-1]
    last = critic["messages"][-1]["content"]
    assert [block["type"] for block in last] == ["tool_result", "text", "text"]
    assert ("cache_control" in last[1]) is not marked
    assert last[1]["text"] == "Now answer."
    assert "BEGIN A" in last[2]["text"]
