"""The client of a running gateway, against a gateway and against other servers."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from config.settings import ApiKey, Critic, Secret, Server
from tests.fakes import FakeUpstream, answer, refusing, status
from tests.fakes.breaks import hang
from tests.running import Gateway, model, running, settings
from upstream.gateway_client import GatewayClient, GatewayError, normalize_url

MESSAGES = [{"role": "user", "content": "Why?"}]
KEY = "a-key-of-the-laptop"


@asynccontextmanager
async def gateway_of(upstream: FakeUpstream, server: Server | None = None) -> AsyncGenerator[Gateway]:
    """Run a gateway whose mixture `mom` has the members a and b and the critic c."""
    models = [model(name, upstream, retries=0) for name in ("a", "b", "c")]
    async with running(settings(models, server=server, panel=("a", "b"), critic=Critic("c"))) as gateway:
        yield gateway


async def watched(url: str, **options: Any) -> list[dict[str, Any]]:
    async with GatewayClient(url) as client:
        return [event async for event in client.watch(MESSAGES, **options)]


async def failure(url: str, key: str | None = None) -> str:
    async with GatewayClient(url, key) as client:
        with pytest.raises(GatewayError) as failed:
            async for _ in client.watch(MESSAGES):
                pass
    return str(failed.value)


async def test_a_run_is_watched_to_its_end(upstream: FakeUpstream) -> None:
    """Also if the gateway keeps no traces, with what the members wrote and who decided."""
    upstream.script("a", answer("One."))
    upstream.script("b", answer("Two."))
    upstream.script("c", answer("Both."))
    async with gateway_of(upstream) as gateway:
        events = await watched(f"{gateway.url}/v1/", model="mom", mode="fuse")
    assert events[0]["type"] == "begin"
    candidates = {event["model"]: event["text"] for event in events if event["type"] == "candidate"}
    assert candidates == {"a": "One.", "b": "Two."}
    assert "".join(event["text"] for event in events if event["type"] == "text") == "Both."
    (answered,) = [event for event in events if event["type"] == "answer"]
    assert (answered["text"], answered["author"], answered["decided_by"]) == ("Both.", "c", "critic")
    assert events[-1]["type"] == "end"
    assert events[-1]["usage"]["mom"]["calls"] == 3


async def test_the_mode_is_sent(upstream: FakeUpstream) -> None:
    """`direct` asks the critic alone, and `complete` returns its text."""
    upstream.script("c", answer("Alone."))
    async with gateway_of(upstream) as gateway, GatewayClient(gateway.url) as client:
        assert await client.complete(MESSAGES, model="mom", mode="direct") == "Alone."
    assert [request.model for request in upstream.requests] == ["c"]


async def test_models_are_listed(upstream: FakeUpstream) -> None:
    """Mixtures with their panels, models."""
    async with gateway_of(upstream) as gateway, GatewayClient(gateway.url) as client:
        entries = {entry["id"]: entry for entry in await client.list_models()}
    assert entries["mom"]["panel"] == ["a", "b"]
    assert entries.keys() == {"mom", "a", "b", "c"}


async def test_a_key_is_sent(upstream: FakeUpstream) -> None:
    """Without it the gateway's words come with the place to put one."""
    server = Server(port=0, api_keys=(ApiKey("laptop", Secret(KEY, "K")),))
    async with gateway_of(upstream, server) as gateway:
        async with GatewayClient(gateway.url, KEY) as client:
            assert await client.list_models()
        assert "missing API key" in await failure(gateway.url)
        assert "set MOM_API_KEY" in await failure(gateway.url, "wrong")


async def test_failures_of_the_run_are_in_the_gateways_words(upstream: FakeUpstream) -> None:
    """Before the first byte with a status, after it as an event."""
    for name in ("a", "b", "c"):
        upstream.script(name, status(400, body={"error": {"message": "broken for good"}}))
    async with gateway_of(upstream) as gateway:
        assert "a: broken for good" in await failure(gateway.url)
        async with GatewayClient(gateway.url) as client:
            with pytest.raises(GatewayError, match="unknown model"):
                await client.complete(MESSAGES, model="nobody")


async def test_closing_the_watch_cancels_the_run(upstream: FakeUpstream) -> None:
    """So no unread answer is paid for."""
    for name in ("a", "b", "c"):
        upstream.script(name, hang())
    async with gateway_of(upstream) as gateway, GatewayClient(gateway.url) as client:
        async with aclosing(client.watch(MESSAGES)) as events:
            await anext(events)
            requests = await upstream.wait_for(2)
        await asyncio.gather(*(request.disconnected.wait() for request in requests))


async def test_no_gateway_is_running() -> None:
    """The message names the address, the cause, and two remedies."""
    with refusing() as base_url:
        url = base_url.removesuffix("/v1")
        message = await failure(url)
    assert f"no gateway answers at {url}" in message
    assert "refused" in message
    assert "`mom-gateway serve`" in message
    assert "MOM_URL" in message


@asynccontextmanager
async def replying(status: int, body: bytes, headers: dict[str, str]) -> AsyncGenerator[str]:
    """Run a server that gives one reply to everything."""

    async def reply(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", reply)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


OURS = {"Server": "mom-gateway", "Content-Type": "text/event-stream"}


@pytest.mark.parametrize(
    ("code", "body", "headers", "words"),
    [
        (404, b"<html>", {}, "is not a gateway (HTTP 404)"),
        (302, b"", {"Location": "http://127.0.0.1:9/"}, "is not a gateway (HTTP 302)"),
        (500, b"{", OURS, "refused the request (HTTP 500)"),
        (500, b'{"error": []}', OURS, "refused the request (HTTP 500)"),
        (200, b'data: {"type": "begin"}\n\n', OURS, "closed the connection before the answer was complete"),
        (200, b"data: {\n\n", OURS, "an event that cannot be read"),
        (200, b"data: " + b"[" * 100_000 + b"\n\n", OURS, "an event that cannot be read"),
        (200, b"data: 7\n\n", OURS, "an event that cannot be read"),
        (200, b"", {}, "closed the connection"),
    ],
)
async def test_other_servers_are_no_gateway(code: int, body: bytes, headers: dict[str, str], words: str) -> None:
    """For any reply the message describes it; no other exception is raised."""
    async with replying(code, body, headers) as url:
        assert words in await failure(url)


@pytest.mark.parametrize("body", [b"", b"{", b"7", b"{}", b'{"choices": []}', b'{"data": 7}', json.dumps({}).encode()])
async def test_replies_that_are_no_json_of_ours(body: bytes) -> None:
    """Lists and completions are checked before they are used."""
    async with replying(200, body, {"Content-Type": "application/json"}) as url, GatewayClient(url) as client:
        with pytest.raises(GatewayError, match="is this a gateway"):
            await client.list_models()
        with pytest.raises(GatewayError, match="is this a gateway"):
            await client.complete(MESSAGES)


async def test_a_failure_inside_a_reply_of_status_200_is_raised() -> None:
    """A JSON reply that has begun can only fail in its body."""
    body = json.dumps({"error": {"message": "too late"}}).encode()
    async with replying(200, body, {}) as url, GatewayClient(url) as client:
        with pytest.raises(GatewayError, match="too late"):
            await client.complete(MESSAGES)


async def test_a_broken_connection_is_reported() -> None:
    """In the middle of a reply it is the connection's fault, and the message says so."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nServer: mom-gateway\r\nContent-Length: 100\r\n\r\ndata: {")
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert "broke off" in await failure(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000"),
        ("localhost:9000", "http://localhost:9000"),
        ("https://h/mom/v1", "https://h/mom"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_addresses_are_completed(text: str, url: str) -> None:
    """With `/v1`, without the scheme, with a path prefix."""
    assert normalize_url(text) == url


@pytest.mark.parametrize("text", ["", "http://", "ftp://h", "http://h?x=1", "http://h:port", "http://u:p@h"])
def test_unusable_addresses_are_refused(text: str) -> None:
    """Also with a password, which would be printed."""
    with pytest.raises(GatewayError, match="is not the address of a gateway"):
        GatewayClient(text)


def test_a_key_that_no_header_can_carry_is_refused() -> None:
    """Is refused before anything is sent."""
    with pytest.raises(GatewayError, match="MOM_API_KEY"):
        GatewayClient("http://h", "key\nwith a line end")
