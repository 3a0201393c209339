"""The middleware around every request."""

import re
from typing import Any

import pytest
from structlog.testing import capture_logs

from handlers.middleware import new_reply_id
from tests.fakes import FakeUpstream
from tests.running import ask, model, running, settings


def test_reply_ids_sort_by_time() -> None:
    """Ids are unique, and one of a later millisecond sorts after one of an earlier."""
    ids = [new_reply_id(1_700_000_000 + n / 1000) for n in range(100)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 100
    assert all(re.fullmatch(r"chatcmpl-[0-9a-f]{24}", each) for each in ids)


TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]


@pytest.mark.parametrize(("sent", "is_kept"), [("my-id.1", True), ("a b", False), ("x" * 129, False), ("\xe9", False)])
async def test_a_client_may_name_its_request(upstream: FakeUpstream, sent: str, is_kept: bool) -> None:
    """A plain id comes back in the reply and the log; anything else is replaced by an id of our own."""
    with capture_logs() as log:
        async with running(settings([model("a", upstream)])) as gateway:
            reply = await gateway.chat(headers={"x-request-id": sent})
    returned = reply.headers["x-request-id"]
    assert (returned == sent) == is_kept
    assert is_kept or returned.startswith("req-")
    assert [line["request_id"] for line in log if line["event"] == "request"] == [returned]


async def test_aiohttp_refusals_have_openai_error_bodies(upstream: FakeUpstream) -> None:
    """An unknown path and a wrong method are JSON errors, the latter with `Allow`."""
    async with running(settings([model("a", upstream)])) as gateway:
        unknown = await gateway.request("GET", "/nowhere")
        wrong = await gateway.request("GET", "/v1/chat/completions")
    assert (unknown.status, unknown.error["code"]) == (404, "not_found")
    assert (wrong.status, wrong.error["code"], wrong.headers["allow"]) == (405, "method_not_allowed", "POST")


async def test_probes_are_logged_at_debug_level(upstream: FakeUpstream) -> None:
    """Liveness probes come every few seconds and must not fill the log."""
    with capture_logs() as log:
        async with running(settings([model("a", upstream)])) as gateway:
            await gateway.request("GET", "/healthz")
            await gateway.request("GET", "/v1/models")
    assert [(line["path"], line["log_level"]) for line in log if line["event"] == "request"] == [
        ("/healthz", "debug"),
        ("/v1/models", "info"),
    ]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("/api/v1/chat/completions", "/v1/chat/completions"),
        ("/v2/chat/completions", "/v1/chat/completions"),
        ("/models", "/v1/models"),
        ("/messages", "/v1/messages"),
        ("/v1/v1/messages", "/v1/messages"),
        ("/responses", "/v1/responses"),
    ],
)
async def test_a_path_without_its_prefix_gets_a_hint(upstream: FakeUpstream, path: str, meant: str) -> None:
    """The most common mistake: the base URL lacks /v1, or has it twice."""
    with capture_logs() as log:
        async with running(settings([model("a", upstream)])) as gateway:
            reply = await gateway.request("POST", path, json={})
    hint = f"use {meant}: a client's base URL ends in /v1"
    if path.startswith("/v1/v1"):
        hint = f"use {meant}: this client adds /v1 to its base URL itself"
    assert (reply.status, reply.error["message"]) == (404, f"unknown path {path}; {hint}")
    assert [line["cause"] for line in log if line["event"] == "request"] == [hint]


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/chat/completions", "/chat/completions"),
        ("/v1/sk-canary-0123456789abcdef/chat", "/v1/…/chat"),
        ("/" + "x" * 8000, "/…"),
        ("/a" * 1000, "/a/a/a/a/a/a/a"),
        ("/what%20is%20the%20secret", "/…"),
    ],
)
async def test_the_log_holds_no_more_of_an_unknown_path_than_is_useful(
    upstream: FakeUpstream, path: str, logged: str
) -> None:
    """A wrong base URL is recognizable; a key or a prompt in it is not."""
    with capture_logs() as log:
        async with running(settings([model("a", upstream)])) as gateway:
            await gateway.request("GET", path)
    assert [line["path"] for line in log if line["event"] == "request"] == [logged]


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (ask(model="gpt-9"), "unknown model gpt-9"),
        (ask(model="sk-or-0123456789abcdef0123456789"), None),
        (ask(tools=TOOLS), "no critic of mom can call tools, which agents need: "),
        (ask(temperature="hot"), None),
    ],
    ids=["a name", "a name as long as a key", "an ability", "a value"],
)
async def test_the_log_says_why_a_request_is_refused(
    upstream: FakeUpstream, body: dict[str, Any], cause: str | None
) -> None:
    """If the operator can fix it; text of the request is not logged."""
    with capture_logs() as log:
        async with running(settings([model("a", upstream, capabilities=frozenset())])) as gateway:
            refused = await gateway.chat(body)
    assert 400 <= refused.status < 500
    (line,) = [line for line in log if line["event"] == "request"]
    assert (line.get("cause") or "").startswith(cause or "")
    assert ("cause" in line) == (cause is not None)
