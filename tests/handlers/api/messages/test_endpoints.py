"""Counting tokens, and the greeting of Claude Code, over real sockets."""

from typing import Any

import pytest

from synth.ledger import estimate_prompt_tokens
from tests.fakes import FakeUpstream
from tests.running import model, running, settings

PATH = "/v1/messages/count_tokens"
MESSAGES = [{"role": "user", "content": "Why is the sky blue?"}]
TOOL = {"name": "look", "description": "Look up.", "input_schema": {"type": "object", "properties": {}}}


async def test_a_count_without_a_counter_is_an_estimate(upstream: FakeUpstream) -> None:
    """It says so, costs no call, and grows with the tools."""
    async with running(settings([model("a", upstream)])) as gateway:
        plain = await gateway.request("POST", PATH, json={"messages": MESSAGES})
        with_tools = await gateway.request("POST", PATH, json={"messages": MESSAGES, "tools": [TOOL]})
    assert plain.json == {"input_tokens": estimate_prompt_tokens(MESSAGES), "mom": {"estimated": True}}
    assert with_tools.json["input_tokens"] > plain.json["input_tokens"]
    assert upstream.requests == []


async def test_tools_are_estimated_by_their_bytes(upstream: FakeUpstream) -> None:
    """Four for a token, as in the estimate of a request's cost: a character of three bytes is no escape of six."""
    tool = {**TOOL, "description": "漢" * 4_000}
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.request("POST", PATH, json={"messages": MESSAGES, "tools": [tool]})
    assert 3_000 < reply.json["input_tokens"] - estimate_prompt_tokens(MESSAGES) < 3_100


@pytest.mark.parametrize("name", ["mom", "a", None])
async def test_a_mixture_or_a_model_is_named_or_the_default_counts(upstream: FakeUpstream, name: str | None) -> None:
    """As in a request for an answer."""
    body: dict[str, Any] = {"messages": MESSAGES} | ({} if name is None else {"model": name})
    async with running(settings([model("a", upstream)])) as gateway:
        assert (await gateway.request("POST", PATH, json=body)).json["input_tokens"] > 0


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"messages": MESSAGES, "model": "claude-9"}, 404, "not_found_error"),
        ({"messages": []}, 400, "invalid_request_error"),
        ({"messages": [{"role": "user", "content": "a"}] * 10_001}, 400, "invalid_request_error"),
        ({}, 400, "invalid_request_error"),
    ],
)
async def test_an_error_has_the_shape_of_messages(
    upstream: FakeUpstream, body: dict[str, Any], status: int, kind: str
) -> None:
    """Anthropic's SDKs read no other."""
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.request("POST", PATH, json=body)
    assert (reply.status, reply.json["type"], reply.error["type"]) == (status, "error", kind)
    assert reply.json["request_id"] == reply.headers["x-request-id"]


async def test_a_greeting_is_answered(upstream: FakeUpstream) -> None:
    """Claude Code first looks whether anything listens."""
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.request("HEAD", "/api/hello")
    assert (reply.status, reply.raw) == (200, b"")
