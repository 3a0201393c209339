"""One HTTP exchange on a connection of aiohttp's pool: a request whose body is there as a whole, and its reply.

Of aiohttp this takes the pool with its DNS and TLS, and the parser with its bounds and its unpacking. It leaves out
what `ClientSession.post` does for requests of every other kind. Why: docs/adr/0015-direct-http-exchange.md.
"""

import re
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from aiohttp import (
    ClientConnectionError,
    ClientRequest,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    ServerDisconnectedError,
    StreamReader,
    TCPConnector,
)
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.tracing import Trace
from yarl import URL

_SURELY_READ_BYTES = 64 * 2**10  # a server has this much in its buffers before it can refuse any of it
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SWITCHING_PROTOCOLS = 101  # RFC 9110, section 15.2.2: the one informational status that nothing follows


class Connections(TCPConnector):
    """aiohttp's pool, but for the order: of the idle connections the one goes on that was used last.

    aiohttp takes them in turn, so that after a crowd each of hundreds is kept alive, by us and by the upstream, and is
    cold in every cache when its turn comes.
    """

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        idle = self._conns.get(key)
        if idle:
            idle.rotate(1)
        return await super()._get(key, traces)


class Target:
    """Where requests are posted, and the head that they share. Belongs to the running loop.

    `headers` come beside those that aiohttp gives every request.
    """

    __slots__ = ("_head", "request")

    def __init__(self, url: URL, headers: Mapping[str, str]) -> None:
        self.request = ClientRequest("POST", url, headers=headers)  # by which the pool knows the address
        fields = self.request.headers.copy()
        del fields["Content-Length"]  # of no body
        lines = [f"POST {url.raw_path_qs} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        if any(map(_CONTROL.search, lines)):
            raise ValueError("a header holds a control character")
        self._head = "\r\n".join([*lines, "Content-Length: "]).encode()

    def head(self, n_bytes: int) -> bytes:
        """Return the head of a request with a body of so many bytes."""
        return b"%b%d\r\n\r\n" % (self._head, n_bytes)


class Reply:
    """A reply whose head is here, as a context.

    On leaving it, the connection goes back to the pool where both request and reply are through, and is closed else.
    `content` is the body, unpacked, as it comes; reading it raises aiohttp's ClientError.
    """

    __slots__ = ("_connection", "_n_asked", "content", "headers", "status")

    def __init__(
        self, connection: Connection, message: RawResponseMessage, content: StreamReader, n_asked: int
    ) -> None:
        self._connection = connection
        self._n_asked = n_asked  # bytes, of the request's body
        self.status = message.code
        self.headers = message.headers
        self.content = content

    @property
    def content_type(self) -> str:
        """What the body is, in lower case and without parameters; "" where that is not said."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._n_asked <= _SURELY_READ_BYTES or self._is_read():
            self._connection.release()
        else:
            _drop(self._connection)

    def _is_read(self) -> bool:
        """Whether a large request is through: who refuses one may not have read it, and by TLS nobody can tell."""
        transport = self._connection.transport
        return self.status == 200 and (transport is None or not transport.get_write_buffer_size())  # noqa: PLR2004


async def post(session: ClientSession, target: Target, body: Sequence[bytes], connecting: ClientTimeout) -> Reply:
    """Send a body, which is there in pieces, and return the reply once its head is here.

    `connecting` bounds that alone. Whatever goes wrong is raised as aiohttp raises it: ClientError, OSError, and
    HttpProcessingError for what is not HTTP. Raising and cancelling close the connection.
    """
    connection = await _connected(session, target, connecting)
    n_bytes = sum(map(len, body))
    try:
        protocol = _sent(connection, target.head(n_bytes), body)
        del body  # a reply may take minutes, and a body megabytes
        message, content = await protocol.read()
        while 100 <= message.code < 200 and message.code != _SWITCHING_PROTOCOLS:  # noqa: PLR2004 -- informational
            message, content = await protocol.read()
    except BaseException:
        _drop(connection)
        raise
    return Reply(connection, message, content, n_bytes)


async def connect(session: ClientSession, target: Target, connecting: ClientTimeout) -> None:
    """Have a connection in the pool for the next request, a new one where none is idle; raises as `post` does."""
    (await _connected(session, target, connecting)).release()


async def _connected(session: ClientSession, target: Target, connecting: ClientTimeout) -> Connection:
    connector = session.connector
    if connector is None:
        raise ClientConnectionError("the session is closed")
    try:
        return await connector.connect(target.request, [], connecting)
    except TimeoutError as error:
        raise ConnectionTimeoutError("no connection in time") from error


def _sent(connection: Connection, head: bytes, body: Sequence[bytes]) -> ResponseHandler:
    """Hand a request to a connection, whole, and return what reads the reply.

    Nothing waits for it to be out: a reply that comes early, a refusal of what is too large, is read while it goes.
    """
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        raise ServerDisconnectedError
    protocol.set_response_params(read_until_eof=True)
    transport.writelines((head, *body))
    return protocol


def _drop(connection: Connection) -> None:
    """Close at once: an upstream that does not read would otherwise keep what is not sent yet, and the connection."""
    if connection.protocol is not None:
        connection.protocol.abort()
    connection.close()
