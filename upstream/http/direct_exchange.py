"""The direct exchange: requests written straight to a pooled connection. The only user of aiohttp's internals.

It uses aiohttp's pool with its DNS and TLS, and the parser with its limits and decompression. It leaves out the work
that `ClientSession.post` does for other kinds of requests, two fifths of the cost of a call.

Four things it uses are not public and change in patch releases: the constructor of `ClientRequest`,
`connector.connect` with it, `ResponseHandler.set_response_params` and `read`. Hence exchange_choice.py: it is used
only with tested versions of aiohttp.
"""

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from weakref import WeakSet

from aiohttp import (
    ClientConnectionError,
    ClientRequest,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    ServerDisconnectedError,
    StreamReader,
)
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from yarl import URL

from upstream.http.exchange import (
    CERTAINLY_READ_BYTES,
    MAX_HEADER_BYTES,
    Body,
    Exchange,
    Reply,
    StaleConnectionError,
    Target,
    connect_timeout,
    ended_before_reply,
    is_idle_timeout,
)

_WRITTEN_AT_ONCE = 2**20  # bytes
_SWITCHING_PROTOCOLS = 101  # RFC 9110, section 15.2.2: the one informational status that no other reply follows


class DirectTarget(Target):
    """A target with aiohttp's request object, by which the pool finds the address, and the request's head as bytes."""

    __slots__ = ("_head", "request")

    def __init__(self, url: URL, headers: Mapping[str, str]) -> None:
        super().__init__(url, headers)
        self.request = ClientRequest("POST", url, headers=headers)
        fields = self.request.headers.copy()
        del fields["Content-Length"]  # of no body
        lines = [f"POST {url.raw_path_qs} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        self._head = "\r\n".join([*lines, "Content-Length: "]).encode()

    def head(self, n_bytes: int) -> bytes:
        """Return the head of a request with a body of `n_bytes`."""
        return b"%b%d\r\n\r\n" % (self._head, n_bytes)


class DirectReply(Reply):
    """A reply on a connection of the pool."""

    __slots__ = ("_connection", "_n_sent")

    def __init__(self, connection: Connection, message: RawResponseMessage, content: StreamReader, n_sent: int) -> None:
        super().__init__(message.code, message.headers, content)
        self._connection = connection
        self._n_sent = n_sent  # bytes, of the request's body

    def _release(self) -> None:
        if self._n_sent <= CERTAINLY_READ_BYTES or self._request_was_read():
            self._connection.release()
        else:
            _abort(self._connection)

    def _request_was_read(self) -> bool:
        """Whether a large request has surely arrived: a server may refuse it unread, and TLS hides how much it read."""
        transport = self._connection.transport
        return self.status < 300 and (transport is None or not transport.get_write_buffer_size())  # noqa: PLR2004


class DirectExchange(Exchange):
    """Exchanges on aiohttp's connections without its request and response objects."""

    name = "direct"

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self._kept: WeakSet[ResponseHandler] = WeakSet()  # connections that have been in the pool

    def target(self, url: URL, headers: Mapping[str, str]) -> DirectTarget:
        """Return a target with the request's head as bytes."""
        return DirectTarget(url, headers)

    async def connect(self, target: Target, connect_s: float | None) -> None:
        """Ensure an idle connection in the pool for the next request, opening one if necessary."""
        connection = await _acquire(self._pooled, target, connect_timeout(connect_s))
        if connection.protocol is not None:
            self._kept.add(connection.protocol)
        connection.release()

    async def _send(self, target: Target, body: Body, connecting: ClientTimeout, *, on_new: bool) -> Reply:
        connection = await _acquire(self._pooled, target, connecting)
        while on_new and connection.protocol in self._kept:  # the idle ones are probably just as stale
            _abort(connection)
            connection = await _acquire(self._pooled, target, connecting)
        is_kept = connection.protocol in self._kept
        has_begun = False
        try:
            protocol = _open_protocol(connection)
            if not is_kept:
                self._kept.add(protocol)
            pieces = body()
            if not isinstance(pieces, tuple):
                pieces = await pieces
            n_sent = await _write_request(protocol, target, pieces)
            message, content = await protocol.read()
            while 100 <= message.code < 200 and message.code != _SWITCHING_PROTOCOLS:  # noqa: PLR2004 -- informational
                has_begun = True
                message, content = await protocol.read()
        except BaseException as error:
            _abort(connection)
            if isinstance(error, Exception) and is_kept and not has_begun and ended_before_reply(error):
                raise StaleConnectionError from error
            raise
        reply = DirectReply(connection, message, content, n_sent)
        if is_kept and is_idle_timeout(reply):
            _abort(connection)
            raise StaleConnectionError
        return reply


async def _acquire(session: ClientSession, target: Target, connecting: ClientTimeout) -> Connection:
    assert isinstance(target, DirectTarget)  # noqa: S101 -- made by DirectExchange.target
    connector = session.connector
    if connector is None:
        raise ClientConnectionError("the session is closed")
    try:
        return await connector.connect(target.request, [], connecting)
    except TimeoutError as error:
        raise ConnectionTimeoutError("no connection in time") from error


def _open_protocol(connection: Connection) -> ResponseHandler:
    protocol = connection.protocol
    if protocol is None or protocol.transport is None:  # closed since it was taken from the pool
        raise ServerDisconnectedError
    return protocol


async def _write_request(protocol: ResponseHandler, target: Target, body: tuple[bytes, ...]) -> int:
    """Hand a whole request to the transport, and return the length of its body.

    Nothing waits until it is sent: an early reply, such as a refusal of a large body, is read meanwhile. But a large
    one is handed over in pieces, each in a turn of the event loop, because the transport copies it.
    """
    assert isinstance(target, DirectTarget)  # noqa: S101 -- made by DirectExchange.target
    transport = protocol.transport
    assert transport is not None  # noqa: S101 -- it is open
    n_bytes = sum(map(len, body))
    protocol.set_response_params(read_until_eof=True, max_line_size=MAX_HEADER_BYTES, max_field_size=MAX_HEADER_BYTES)
    if n_bytes <= _WRITTEN_AT_ONCE:
        transport.writelines((target.head(n_bytes), *body))
        return n_bytes
    transport.write(target.head(n_bytes))
    for piece in _cut(body):
        await asyncio.sleep(0)
        if transport.is_closing():  # reading will say why
            break
        transport.writelines(piece)
    return n_bytes


def _cut(body: tuple[bytes, ...]) -> Iterator[list[memoryview]]:
    """Yield a body in groups of pieces, of about _WRITTEN_AT_ONCE bytes each."""
    group: list[memoryview] = []
    n_bytes = 0
    for piece in body:
        whole = memoryview(piece)
        for at in range(0, len(whole), _WRITTEN_AT_ONCE):
            group.append(whole[at : at + _WRITTEN_AT_ONCE])
            n_bytes += len(group[-1])
            if n_bytes >= _WRITTEN_AT_ONCE:
                yield group
                group, n_bytes = [], 0
    if group:
        yield group


def _abort(connection: Connection) -> None:
    """Close at once: with a server that does not read, a graceful close would wait for unsent bytes for ever."""
    if connection.protocol is not None:
        connection.protocol.abort()
    connection.close()
