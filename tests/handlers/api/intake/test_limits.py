"""Limits on the shape of requests, of each client API."""

import json
from io import BytesIO
from typing import Any

import pytest

from config.settings import Server
from handlers.api.intake.limits import MAX_FIELDS
from tests.fakes import FakeUpstream
from tests.running import ask, model, running, settings

ODD: dict[str, Any] = {f"odd{n}": n for n in range(MAX_FIELDS)}
SMALL = Server(port=0, max_messages=3, max_parts=3, max_tools=3, max_tool_calls=3, max_json_values=100)


def tools(n: int) -> list[Any]:
    return [{"type": "function", "function": {"name": f"f{i}", "parameters": {}}} for i in range(n)]


def calls(n: int) -> dict[str, Any]:
    made = [{"id": str(i), "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in range(n)]
    return {"role": "assistant", "content": None, "tool_calls": made}


def parts(n: int) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": "x"}] * n}


TOO_MUCH: dict[str, tuple[dict[str, Any], str]] = {
    "messages": (ask(messages=[{"role": "user", "content": "x"}] * 4), "max_messages"),
    "parts of one message": (ask(messages=[parts(4)]), "max_parts"),
    "parts of two messages": (ask(messages=[parts(2), parts(2)]), "max_parts"),
    "tools": (ask(tools=tools(4)), "max_tools"),
    "functions": (ask(functions=[{"name": str(i)} for i in range(4)]), "max_tools"),
    "tool calls of two messages": (ask(messages=[calls(2), calls(2), parts(1)]), "max_tool_calls"),
    "values in a field that is passed on": (ask(unknown=[1] * 200), "max_json_values"),
    "values in an object": (ask(unknown={str(i): i for i in range(200)}), "max_json_values"),
    "values in a schema": (ask(tools=[{"type": "x", "deep": [[[]] * 99] * 2}]), "max_json_values"),
}


@pytest.mark.parametrize(("body", "key"), TOO_MUCH.values(), ids=TOO_MUCH)
async def test_too_many_items_are_a_400_that_names_the_key(
    upstream: FakeUpstream, body: dict[str, Any], key: str
) -> None:
    """Before any model is asked."""
    async with running(settings([model("a", upstream)], server=SMALL)) as gateway:
        reply = await gateway.chat(body)
    assert (reply.status, reply.error["code"]) == (400, "too_many_items")
    assert f"server.{key}" in reply.error["message"]
    assert upstream.requests == []


@pytest.mark.parametrize(
    "body",
    [
        ask(**ODD),
        ask(messages=[{"role": "user", "content": "x", **ODD}]),
    ],
)
async def test_too_many_fields_are_a_400(upstream: FakeUpstream, body: dict[str, Any]) -> None:
    """Of a request and of a message, whatever they are called."""
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat(body)
    assert (reply.status, reply.error["code"]) == (400, "too_many_items")
    assert "has more than 1,000 fields" in reply.error["message"]
    assert upstream.requests == []


@pytest.mark.parametrize(
    "body",
    [
        ask(messages=[{"role": "user", "content": "x"}] * 3),
        ask(messages=[parts(3)]),
        ask(tools=tools(3)),
        ask("a, b: [c] {d} " * 1000),
        ask('\\", ' * 1000),
    ],
)
async def test_the_limit_itself_is_allowed(upstream: FakeUpstream, body: dict[str, Any]) -> None:
    """And commas and brackets of a text are no values."""
    async with running(settings([model("a", upstream)], server=SMALL)) as gateway:
        assert (await gateway.chat(body)).status == 200


async def test_other_apis_have_the_same_limits(upstream: FakeUpstream) -> None:
    """Messages and Responses are translated first, and then counted."""
    items = [{"role": "user", "content": "x"}] * 4
    async with running(settings([model("a", upstream)], server=SMALL)) as gateway:
        for path, body in [
            ("/v1/messages", {"model": "mom", "max_tokens": 9, "messages": items}),
            ("/v1/responses", {"model": "mom", "input": items}),
            ("/v1/messages/count_tokens", {"model": "mom", "messages": [{"role": "user", "content": [[]] * 200}]}),
        ]:
            reply = await gateway.request("POST", path, json=body)
            assert reply.status == 400, path
            assert "server.max_" in json.dumps(reply.json), path
    assert upstream.requests == []


async def test_a_large_text_is_no_large_request(upstream: FakeUpstream) -> None:
    """Megabytes of prose pass the count, which is then made in a thread."""
    async with running(settings([model("a", upstream)])) as gateway:
        body = BytesIO(json.dumps(ask("one, two, three; " * 100_000)).encode())
        assert (await gateway.chat(data=body, headers={"Content-Type": "application/json"})).status == 200
