"""The exchange on aiohttp's public API, `ClientSession.post`: for versions of aiohttp that were not tested.

A panel's request takes about a third more CPU than with the direct exchange (`make bench ARGS="--only public-api"`).
Three differences, none of which changes an answer: it cannot connect ahead, a large or repeated request has
a connection of its own, and a caller who gives up while a server does not read leaves the last part to the system.
"""

import ssl
from collections.abc import AsyncGenerator, Mapping
from types import SimpleNamespace

from aiohttp import (
    ClientResponse,
    ClientSession,
    ClientTimeout,
    TCPConnector,
    TraceConfig,
    TraceConnectionReuseconnParams,
)
from yarl import URL

from upstream.http.exchange import (
    CERTAINLY_READ_BYTES,
    Body,
    Exchange,
    Reply,
    StaleConnectionError,
    Target,
    ended_before_reply,
    is_idle_timeout,
)

_PIECE_BYTES = 64 * 2**10


class SessionReply(Reply):
    """A reply of aiohttp's client."""

    __slots__ = ("_response",)

    def __init__(self, response: ClientResponse) -> None:
        super().__init__(response.status, response.headers, response.content)
        self._response = response

    def _release(self) -> None:
        self._response.release()


class SessionExchange(Exchange):
    """Exchanges by `ClientSession.post`."""

    name = "session"

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self._single_use = self._session(TCPConnector(limit=0, force_close=True, ssl=tls or True))

    async def close(self) -> None:
        """Close every connection."""
        await super().close()
        await self._single_use.close()

    def target(self, url: URL, headers: Mapping[str, str]) -> Target:
        """Return a target."""
        return Target(url, headers)

    async def connect(self, target: Target, connect_s: float | None) -> None:
        """Do nothing: aiohttp has no public way to connect without a request."""

    async def _send(self, target: Target, body: Body, connecting: ClientTimeout, *, on_new: bool) -> Reply:
        pieces = body()
        if not isinstance(pieces, tuple):
            pieces = await pieces
        n_bytes = sum(map(len, pieces))
        is_large = n_bytes > CERTAINLY_READ_BYTES
        headers = target.headers.copy()
        headers["Content-Length"] = str(n_bytes)
        connection = SimpleNamespace(is_kept=False)
        try:
            response = await (self._single_use if on_new or is_large else self._pooled).post(
                target.url,
                data=_parts(b"".join(pieces)) if is_large else b"".join(pieces),
                headers=headers,
                allow_redirects=False,
                timeout=connecting,
                trace_request_ctx=connection,
            )
        except Exception as error:
            if connection.is_kept and ended_before_reply(error):
                raise StaleConnectionError from error
            raise
        reply = SessionReply(response)
        if connection.is_kept and is_idle_timeout(reply):
            response.close()
            raise StaleConnectionError
        return reply

    def _trace_configs(self) -> list[TraceConfig]:
        config = TraceConfig()
        config.on_connection_reuseconn.append(_note_kept)
        return [config]


async def _note_kept(
    _session: ClientSession, context: SimpleNamespace, _params: TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.is_kept = True


async def _parts(data: bytes) -> AsyncGenerator[bytes]:
    """Yield a large body in parts, between which aiohttp waits: so a caller who gives up leaves little unsent."""
    for start in range(0, len(data), _PIECE_BYTES):
        yield data[start : start + _PIECE_BYTES]
