"""Clients that send or read too slowly, over a socket of their own."""

import asyncio
import gzip
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

from tests.running import ask


@dataclass
class Client:
    """One socket to the gateway that reads only on `read`."""

    port: int

    async def __aenter__(self) -> Self:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)
        await asyncio.get_running_loop().sock_connect(self.socket, ("127.0.0.1", self.port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.socket.close()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def drip(self, data: bytes) -> None:
        """Send a byte now and then, until the gateway closes."""
        for byte in data:
            try:
                await self.send(bytes([byte]))
            except ConnectionError:
                return
            await asyncio.sleep(0.05)

    async def read(self) -> bytes:
        """Return all that comes until the gateway closes."""
        received = b""
        try:
            while piece := await asyncio.get_running_loop().sock_recv(self.socket, 65_536):
                received += piece
        except ConnectionError:
            pass
        return received


def head(length: int | None, *more: str) -> bytes:
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: localhost", size, *more, "", ""]
    return "\r\n".join(lines).encode()


def request(**fields: Any) -> bytes:
    body = json.dumps(ask(model="long", **fields)).encode()
    return head(len(body)) + body


async def nothing(client: Client) -> bytes:
    return await client.read()


async def half_headers(client: Client) -> bytes:
    await client.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: loc")
    return await client.read()


async def dripping_headers(client: Client) -> bytes:
    await client.drip(head(5) * 3)
    return await client.read()


async def half_a_body(client: Client) -> bytes:
    await client.send(head(1000) + b"{")
    return await client.read()


async def half_a_chunk(client: Client) -> bytes:
    await client.send(head(None) + b"ff\r\n{")
    return await client.read()


async def chunks_without_end(client: Client) -> bytes:
    await client.send(head(None))
    await client.drip(b"1\r\n \r\n" * 100)
    return await client.read()


async def a_dripping_body(client: Client) -> bytes:
    await client.send(head(1000))
    await client.drip(b" " * 1000)
    return await client.read()


async def half_a_compressed_body(client: Client) -> bytes:
    await client.send(head(1000, "Content-Encoding: gzip") + gzip.compress(b"{}")[:10])
    return await client.read()


async def an_unread_stream(client: Client) -> bytes:
    await client.send(request(stream=True))
    return b""


async def an_unread_reply(client: Client) -> bytes:
    await client.send(request())
    return b""


async def unread_pipelined_replies(client: Client) -> bytes:
    await client.send(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
    return b""


async def a_keep_alive_connection(client: Client) -> bytes:
    await client.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return await client.read()


BEHAVIOURS: dict[Callable[[Client], Awaitable[bytes]], bytes | None] = {
    nothing: None,
    half_headers: b"408",
    dripping_headers: b"408",
    half_a_body: b"408",
    half_a_chunk: b"408",
    chunks_without_end: b"408",
    a_dripping_body: b"408",
    half_a_compressed_body: b"408",
    an_unread_stream: None,
    an_unread_reply: None,
    unread_pipelined_replies: None,
    a_keep_alive_connection: b"200",
}
