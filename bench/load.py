"""A load generator over bare sockets: connections with one request after another each, at little CPU of its own."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from bench.conversations import OTHER_APIS, translate
from bench.processes import BrokenError

T = TypeVar("T")

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_ENDS = (b"data: [DONE]", b"event: message_stop", b"event: response.completed")
_MAX_SHOWN = 300
_DISTINCT = 4096  # more than run at the same time
_WHITE_SPACE = str.maketrans("01", " \t")


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete reply: the times of the request and of the last byte, in ns, and the pieces as received."""

    asked_ns: int
    ended_ns: int
    pieces: Sequence[tuple[int, bytes]]

    @property
    def bytes(self) -> bytes:
        """Head and body."""
        return b"".join(piece for _, piece in self.pieces)

    @property
    def took_s(self) -> float:
        """How long the client waited for the last byte."""
        return (self.ended_ns - self.asked_ns) / 1e9


class Connection(asyncio.Protocol):
    """One keep-alive connection to a server under test."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._pieces: list[tuple[int, bytes]] = []
        self._n_left: int | None = None
        self._tail = b""
        self._ended: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]  # a stream's transport, by create_connection

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the current request, and all later ones."""
        self._transport = None
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(BrokenError(f"the server under test closed the connection ({exc})"))

    def data_received(self, data: bytes) -> None:
        """Add a piece to the reply; end the request if the reply is complete."""
        self._pieces.append((time.monotonic_ns(), data))
        if self._ended is not None and self._is_complete(data):
            self._ended.set_result(None)

    def _is_complete(self, data: bytes) -> bool:
        if len(self._pieces) == 1:
            head, separator, rest = data.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if not separator:
                raise BrokenError("the head of a reply came in pieces")
            self._n_left, self._tail = (int(length[1]) if length else None), b""
            data = rest
        if self._n_left is not None:
            self._n_left -= len(data)
            return self._n_left <= 0
        self._tail = (self._tail + data)[-len(_LAST_CHUNK) :]
        return self._tail == _LAST_CHUNK

    async def ask(self, request: bytes) -> Reply:
        """Send a request and return its reply. Raises BrokenError if it is malformed or not a success."""
        if self._transport is None:
            raise BrokenError("the server under test has closed the connection")
        self._ended = asyncio.get_running_loop().create_future()
        self._pieces = []
        asked_ns = time.monotonic_ns()
        self._transport.write(request)
        await self._ended
        reply = Reply(asked_ns, time.monotonic_ns(), self._pieces)
        if not reply.bytes.startswith(b"HTTP/1.1 200 "):
            raise BrokenError(reply.bytes[:_MAX_SHOWN].decode(errors="replace"))
        if self._n_left is None and not any(end in reply.bytes for end in _ENDS):
            raise BrokenError(f"a stream broke off: …{reply.bytes[-_MAX_SHOWN:].decode(errors='replace')}")
        return reply

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()


async def connect(url: str) -> Connection:
    """Return a new connection to the host and port of a URL; close it with `close()`."""
    host, _, port = urlsplit(url).netloc.partition(":")
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, int(port))
    return connection


def encode_request(url: str, body: bytes, number: int = 0) -> bytes:
    """Return the bytes of a chat request to a base URL, or to the endpoint of another API with the same question.

    White space behind the body spells `number`, because identical requests share one answer of the gateway.
    """
    address = urlsplit(url)
    path = address.path
    if path.endswith(OTHER_APIS):
        body = translate(body, path)
    else:
        path = f"{path}/chat/completions"
    body += f"{number % _DISTINCT:012b}".translate(_WHITE_SPACE).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def send_all(url: str, bodies: Sequence[bytes], read: Callable[[Reply], T], *, concurrency: int) -> list[T]:
    """Send all bodies, `concurrency` at a time; return the result of `read` for each reply, in order of arrival."""
    requests = iter([encode_request(url, body, number) for number, body in enumerate(bodies)])
    taken: list[T] = []
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(_one_by_one(url, requests, read, taken))
    return taken


async def send_spread(url: str, bodies: Sequence[bytes], read: Callable[[Reply], T], *, seconds: float) -> list[T]:
    """Send all bodies, evenly spread over `seconds`, each on a connection of its own; otherwise as `send_all`."""
    taken: list[T] = []

    async def ask(number: int, body: bytes) -> None:
        await asyncio.sleep(seconds * number / len(bodies))
        await _one_by_one(url, iter([encode_request(url, body, number)]), read, taken)

    async with asyncio.TaskGroup() as group:
        for number, body in enumerate(bodies):
            group.create_task(ask(number, body))
    return taken


async def _one_by_one(url: str, requests: Iterator[bytes], read: Callable[[Reply], T], taken: list[T]) -> None:
    connection = await connect(url)
    try:
        for request in requests:
            reply = await connection.ask(request)
            taken.append(read(reply))
    finally:
        connection.close()
