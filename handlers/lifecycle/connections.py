"""Deadlines for clients, and a quiet refusal of malformed HTTP: all hooks into aiohttp's server protocol.

aiohttp closes a connection that is idle, but it waits without limit for the rest of a request's headers and for a
client that does not read. Both cost an attacker one socket and the gateway a connection, a reply in memory, and (for a
stream) a slot of a model. And it logs a malformed request with the bytes at fault, which may be a key or a prompt.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from config.settings import Server
from handlers.errors import ApiError
from handlers.telemetry.loop_errors import LoopErrors
from handlers.telemetry.repeats import Repeats

_log = structlog.get_logger("http")

SWEEP_EVERY_S = 1.0
SHED_AFTER_S = 1.0
OVERDUE_S = 3.0  # the patience with a client that reads nothing after its request's deadline
BACKLOG = 128
MIN_FLUSH_RATE = 16_384  # bytes a second: the slowest reader of a complete reply that is waited for
SEND_BUFFER_BYTES = 262_144
_NEVER_S = 86_400.0  # aiohttp's own keep-alive timer must not close what is enforced here
_TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

# How the deadlines are kept.
#
# A loop timer for each header, write and pause would be set and cancelled several times in every request. Instead a
# connection notes its phase and when that began, which costs two assignments, and one task checks all connections once
# a second. So deadlines are met to the second, which is enough, and cost next to nothing in a request.
#
# Only public names of aiohttp are used: the class `web.RequestHandler` and its methods `connection_made`,
# `data_received`, `handle_error` and `log_exception`. If a version cannot be constructed like this, connections are
# aiohttp's own: they have its keep-alive timeout and none of the deadlines here, and everything else works.


class _Phase(Enum):
    IDLE = auto()  # between requests, or before the first
    HEADERS = auto()  # a part of a request's headers has arrived
    RUNNING = auto()  # a handler has the request; it keeps its own deadlines for the body and the answer


class ClientConnection(web.RequestHandler):
    """One client's connection, with deadlines for its headers, its idle time and the reading of replies.

    A malformed request gets a 400 in OpenAI's shape, and one log line with its kind and without its bytes.
    """

    def __init__(self, manager: web.Server, clock: Callable[[], float], malformed: Repeats, **options: Any) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), **options)
        self._clock = clock
        self._malformed = malformed
        self._phase = _Phase.IDLE
        self._since = clock()
        self._n_unsent = 0
        self._unsent_since: float | None = None
        self._deadline: float | None = None

    def data_received(self, data: bytes) -> None:
        """Note when the headers of a request begin."""
        if self._phase is _Phase.IDLE and data:
            self._phase, self._since = _Phase.HEADERS, self._clock()
        try:
            super().data_received(data)
        except Exception as error:  # noqa: BLE001 -- the loop would log it with the client's bytes
            self._malformed.report(type(error).__name__, status=400)
            self.force_close()

    def begin_request(self) -> None:
        """Note that the headers are complete and a handler has the request."""
        self._phase, self._deadline = _Phase.RUNNING, None

    def set_deadline(self, deadline: float) -> None:
        """Set the instant after which a slow reader of the reply is cut off soon; on the connection's clock."""
        self._deadline = deadline

    def end_request(self) -> None:
        """Note that the handler has returned. Its reply may still have to be sent."""
        self._phase, self._since = _Phase.IDLE, self._clock()

    def enforce(self, limits: Server) -> None:
        """Close the connection if it is overdue."""
        transport = self.transport
        if transport is None:
            return
        now, n_unsent = self._clock(), transport.get_write_buffer_size()
        if n_unsent:
            self._enforce_reading(transport, n_unsent, now, limits)
            return
        self._n_unsent, self._unsent_since = 0, None
        waited_s = now - self._since
        if self._phase is _Phase.HEADERS and waited_s > limits.header_timeout_s:
            transport.write(_TIMED_OUT)
            self.force_close()
        elif self._phase is _Phase.IDLE and waited_s > limits.keepalive_timeout_s:
            self.force_close()

    def shed(self) -> None:
        """Close the connection if it has had no complete request for SHED_AFTER_S."""
        if self._phase is not _Phase.RUNNING and self._clock() - self._since > SHED_AFTER_S:
            self.force_close()

    def _enforce_reading(self, transport: asyncio.Transport, n_unsent: int, now: float, limits: Server) -> None:
        """Cut off a client that reads no byte of a reply, or reads a complete one too slowly."""
        if self._unsent_since is None or n_unsent < self._n_unsent:
            self._unsent_since = now
        self._n_unsent = n_unsent
        is_overdue = self._deadline is not None and now > self._deadline
        patience_s = min(limits.write_timeout_s, OVERDUE_S) if is_overdue else limits.write_timeout_s
        stalled = now - self._unsent_since > patience_s
        crawls = self._phase is _Phase.IDLE and now - self._since > limits.write_timeout_s + n_unsent / MIN_FLUSH_RATE
        if stalled or crawls:
            transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Refuse a malformed request in OpenAI's shape; leave every other error to aiohttp."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        kind = type(exc).__name__
        self._malformed.report(kind, status=status)
        error = ApiError(status, f"malformed HTTP request ({kind})", code="malformed_http")
        response = error.response()
        response.force_close()
        return response

    def log_exception(self, *args: Any, **options: Any) -> None:
        """Log an exception of the server; only its kind if the request's bytes caused it."""
        error = options.get("exc_info")
        if isinstance(error, HttpProcessingError | web.RequestPayloadError):
            self._malformed.report(type(error).__name__, status=400)
        else:
            super().log_exception(*args, **options)


class Connections:
    """Makes client connections and enforces their deadlines; `limits` returns the settings in force."""

    def __init__(
        self,
        manager: web.Server,
        limits: Callable[[], Server],
        *,
        clock: Callable[[], float] | None = None,
        **options: Any,
    ) -> None:
        self._manager = manager
        self._limits = limits
        self._options = options
        self._clock = clock or asyncio.get_running_loop().time
        self._malformed = Repeats(
            lambda kind, n, facts: _log.warning("malformed HTTP request", kind=kind, count=n, **facts), self._clock
        )

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        try:
            return ClientConnection(self._manager, self._clock, self._malformed, **self._options)
        except TypeError as error:
            _log.warning("this version of aiohttp is unknown: clients have no deadlines", error=str(error))
            return self._manager()

    def sweep(self) -> None:
        """Close the connections that are overdue."""
        limits = self._limits()
        for connection in self._manager.connections:
            if isinstance(connection, ClientConnection):
                connection.enforce(limits)

    def shed(self) -> None:
        """Close the connections that have no request, because new ones cannot be accepted any more."""
        for connection in self._manager.connections:
            if isinstance(connection, ClientConnection):
                connection.shed()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            self.sweep()
            self._malformed.flush()


@asynccontextmanager
async def accept_clients(
    runner: web.AppRunner, host: str, port: int, limits: Callable[[], Server], errors: LoopErrors | None = None
) -> AsyncGenerator[int]:
    """Accept clients, and yield the port. Raises OSError if it is taken. The runner's clean-up closes connections.

    If `errors` is given, idle connections are closed when the process runs out of descriptors.
    """
    manager = runner.server
    if manager is None:
        raise RuntimeError("the runner must be set up before it can listen")
    connections = Connections(manager, limits, access_log=None, keepalive_timeout=_NEVER_S, auto_decompress=False)
    if errors is not None:
        errors.on_exhausted = connections.shed
    loop = asyncio.get_running_loop()
    server = await loop.create_server(connections, host, port, backlog=BACKLOG)
    for listener in server.sockets:  # which clients' sockets inherit: small, so that slow reading shows as progress
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    sweeping = asyncio.create_task(connections.run())
    try:
        yield _port_of(server.sockets[0])
    finally:
        server.close()
        sweeping.cancel()


def _port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def connection_of(request: web.BaseRequest) -> ClientConnection | None:
    """Return the connection of a request, or None if it is aiohttp's own (see the fallback above)."""
    protocol = request.protocol
    return protocol if isinstance(protocol, ClientConnection) else None
