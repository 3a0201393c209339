"""One HTTP exchange with an upstream: a POST whose body is complete, and its reply.

`Exchange` has two implementations, which pass the same tests: `DirectExchange` uses aiohttp's internals and takes less
CPU, `SessionExchange` uses its public API. exchange_choice.py picks one. Why: docs/adr/0015-direct-http-exchange.md.
"""

import re
import ssl
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from types import TracebackType
from typing import Self

from aiohttp import (
    ClientConnectionError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    ServerDisconnectedError,
    StreamReader,
    TCPConnector,
    TraceConfig,
)
from multidict import CIMultiDict
from yarl import URL

KEEPALIVE_S = 60.0
MAX_HEADER_BYTES = 64 * 2**10
"""The longest header line of a reply. Providers behind several proxies send more than aiohttp's default of 8 KiB."""

CERTAINLY_READ_BYTES = 64 * 2**10
"""A request of this size fits in a server's socket buffers, so the server cannot refuse it before it has arrived."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NEVER_ROUND_S = 1e9

Body = Callable[[], tuple[bytes, ...] | Awaitable[tuple[bytes, ...]]]
"""Returns a request's body in pieces, a large one when it is encoded.

It is a function, because a reply may take minutes and a body megabytes: the bytes are not kept while waiting, and are
made again if the request has to be sent again.
"""


class Target:
    """A URL to post to, and the headers of every request. Raises ValueError for a header with a control character."""

    __slots__ = ("headers", "url")

    def __init__(self, url: URL, headers: Mapping[str, str]) -> None:
        if any(_CONTROL.search(text) for header in headers.items() for text in header):
            raise ValueError("a header holds a control character")
        self.url = url
        self.headers = CIMultiDict(headers)


class Reply(ABC):
    """A reply whose headers have arrived, as a context. `content` is the decompressed body, read as it arrives.

    On leaving, the connection goes back to the pool if both request and reply are complete, and is closed otherwise.
    Reading raises aiohttp's ClientError.
    """

    __slots__ = ("content", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], content: StreamReader) -> None:
        self.status = status
        self.headers = headers
        self.content = content

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._release()

    @abstractmethod
    def _release(self) -> None: ...


class StaleConnectionError(Exception):
    """A kept-alive connection was closed before the request could be answered."""


class Exchange(ABC):
    """Posts requests over a pool of kept-alive connections. Belongs to the running loop; close it with `close()`.

    `tls` verifies upstreams; None means by the system's certificates.
    """

    name: str

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._pooled = self._session(TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S, ssl=tls or True))

    async def close(self) -> None:
        """Close every connection. Later calls raise ClientConnectionError."""
        await self._pooled.close()

    @abstractmethod
    def target(self, url: URL, headers: Mapping[str, str]) -> Target:
        """Return a target for `post`, to be made once per URL and headers. Raises ValueError as from `Target`."""

    async def post(self, target: Target, body: Body, connect_s: float | None) -> Reply:
        """Send a request and return its reply once the headers are here.

        `connect_s` limits connecting alone. Failures are aiohttp's: ClientError, OSError, and HttpProcessingError or
        ClientResponseError for a reply that is not HTTP. Failing or being cancelled closes the connection.

        A server may close an idle connection just when the next request goes out on it: a race that keep-alive always
        has, and no fault of the server (RFC 9112, section 9.5). So if a kept-alive connection ends before the first
        byte of a reply, the request is sent once more, at once, on a new connection: other kept-alive ones are
        probably just as old. It is not sent a third time, because a second failure is not that race.
        """
        if self._pooled.closed:
            raise ClientConnectionError("the session is closed")
        connecting = connect_timeout(connect_s)
        try:
            return await self._send(target, body, connecting, on_new=False)
        except StaleConnectionError:
            return await self._send(target, body, connecting, on_new=True)

    @abstractmethod
    async def connect(self, target: Target, connect_s: float | None) -> None:
        """Open an idle connection for the next request, if the implementation can; raises as `post`."""

    @abstractmethod
    async def _send(self, target: Target, body: Body, connecting: ClientTimeout, *, on_new: bool) -> Reply:
        """Send a request once, if `on_new` on a new connection.

        Raises StaleConnectionError if a kept-alive connection `ended_before_reply`, or the reply `is_idle_timeout`.
        """

    def _session(self, connector: TCPConnector) -> ClientSession:
        return ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            trace_configs=self._trace_configs(),
        )

    def _trace_configs(self) -> list[TraceConfig]:
        return []


def is_idle_timeout(reply: Reply) -> bool:
    """Whether a reply on a kept-alive connection is no reply to the request.

    Some servers announce that they close an idle connection (RFC 9110, section 15.5.9: the request may be repeated).
    """
    if reply.status != HTTPStatus.REQUEST_TIMEOUT:
        return False
    return reply.headers.get("Connection", "").strip().lower() == "close"


def ended_before_reply(error: Exception) -> bool:
    """Whether a connection ended without a byte of a reply.

    aiohttp puts an incomplete head into the `message` of ServerDisconnectedError, which is a text otherwise.
    """
    if isinstance(error, ServerDisconnectedError):
        return isinstance(error.message, str)
    return isinstance(error, OSError)


@lru_cache
def connect_timeout(connect_s: float | None) -> ClientTimeout:
    """Return aiohttp's timeout for connecting, without its rounding up to full seconds, which could pass a deadline."""
    return ClientTimeout(total=None, connect=connect_s, ceil_threshold=_NEVER_ROUND_S)
