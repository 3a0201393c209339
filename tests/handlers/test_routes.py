"""The application's routes."""

import asyncio

import pytest

from tests.fakes import FakeUpstream
from tests.running import model, running, settings


async def test_every_reply_names_the_gateway(upstream: FakeUpstream) -> None:
    """`Server` and `x-request-id` are on every reply, also on errors; the version of aiohttp is on none."""
    async with running(settings([model("a", upstream)])) as gateway:
        replies = [
            await gateway.chat(),
            await gateway.chat(data=b"{"),
            *[await gateway.request("GET", path) for path in ("/healthz", "/readyz", "/v1/models", "/metrics", "/no")],
        ]
    assert {reply.headers["server"] for reply in replies} == {"mom-gateway"}
    assert all(reply.headers["x-request-id"] for reply in replies)


PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/responses", "/v1/ask")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("expectation", "interim"), [("100-Continue", b"HTTP/1.1 100 Continue\r\n\r\n"), ("odd", b"")])
async def test_the_reply_to_an_expectation_is_the_api_s(
    upstream: FakeUpstream, path: str, expectation: str, interim: bytes
) -> None:
    """A client that waits for 100 Continue gets it before it sends the body; any other expectation is ignored."""
    async with running(settings([model("a", upstream)])) as gateway, asyncio.timeout(30):
        host, port = gateway.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"Host: localhost\r\nContent-Type: application/json\r\nExpect: {expectation}\r\nContent-Length: 1\r\n"
        writer.write(f"POST {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
        assert await reader.readexactly(len(interim)) == interim
        writer.write(b"{")
        reply = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert reply.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nx-request-id: req-" in reply
    assert b'"error":' in reply
