"""One upstream: its session, and single HTTP tries at completing or streaming. Retries live in retrying.py.

The only translator of aiohttp's exceptions into ours.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import aiohttp

from config.settings import Secret
from upstream import wire
from upstream.backoff import retry_after_s
from upstream.calls import Attempt
from upstream.errors import CallError, Kind
from upstream.sse import EventReader, EventTooLargeError

MAX_REPLY_BYTES = 32 * 2**20
MAX_EVENT_BYTES = 8 * 2**20
MAX_ERROR_BYTES = 64 * 2**10
_NEVER_ROUND_S = 1e9
_LARGE_BODY_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an upstream listens: base URL without trailing slash, and the key it wants."""

    base_url: str
    api_key: Secret | None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one attempt may take in seconds: as a whole, to connect, until the first byte of the reply, and
    between two bytes of it; None for no bound of its own. All but `idle_s` count from the start of the attempt.
    """

    total_s: float
    connect_s: float | None = None
    first_byte_s: float | None = None
    idle_s: float | None = None


class Upstream:
    """An HTTP service that speaks OpenAI chat completions, behind one keep-alive connection pool.

    `locate` gives the endpoint for each attempt: a constant for hosted services, the child's port for embedded
    models. A reply may have `max_reply_bytes`, unpacked. Close it with `close()`; cancelling an attempt closes its
    connection, so that the upstream sees it.
    """

    def __init__(
        self,
        locate: Callable[[], Awaitable[Endpoint]],
        *,
        clock: Callable[[], float],
        max_reply_bytes: int = MAX_REPLY_BYTES,
    ) -> None:
        self._locate = locate
        self._clock = clock
        self._max_reply_bytes = max_reply_bytes
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "mom-gateway"},
            auto_decompress=True,
        )

    async def close(self) -> None:
        """Close the session and every connection of it."""
        await self._session.close()

    async def complete(
        self,
        payload: dict[str, Any],
        headers: dict[str, str],
        *,
        timeouts: Timeouts,
        attempt: Attempt,
    ) -> dict[str, Any]:
        """Return the checked completion of one attempt; CallError for whatever goes wrong."""
        async with self._reply(payload, headers, timeouts, attempt) as reply:
            body = wire.decode(await _read(reply, self._max_reply_bytes, timeouts.idle_s))
            attempt.usage = wire.usage_of(body)  # paid for, also where the rest is of no use
            return wire.check_completion(body)

    async def stream(
        self,
        payload: dict[str, Any],
        headers: dict[str, str],
        *,
        timeouts: Timeouts,
        attempt: Attempt,
    ) -> AsyncGenerator[dict[str, Any]]:
        """Yield the checked chunks of one attempt up to `[DONE]` or the end of the body; close it when done."""
        async with self._reply(payload, headers, timeouts, attempt) as reply:
            if reply.content_type == "application/json":  # an upstream that ignores `stream`
                body = await _read(reply, self._max_reply_bytes, timeouts.idle_s)
                yield _as_chunk(wire.check_completion(wire.decode(body)))
                return
            reader = EventReader(MAX_EVENT_BYTES)
            async for chunk in _bounded(reply, self._max_reply_bytes, timeouts.idle_s):
                for data in reader.feed(chunk):
                    if data.strip() == b"[DONE]":
                        return
                    yield wire.check_chunk(wire.decode(data))

    @asynccontextmanager
    async def _reply(
        self,
        payload: dict[str, Any],
        headers: dict[str, str],
        timeouts: Timeouts,
        attempt: Attempt,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        async with _within(timeouts.total_s, Kind.NOT_READY, "the embedded model was not ready in time"):
            endpoint = await self._locate()
        if endpoint.api_key is not None:
            headers = {"Authorization": f"Bearer {endpoint.api_key.value}", **headers}
        headers["Content-Type"] = "application/json"
        timeout = aiohttp.ClientTimeout(
            total=timeouts.total_s,
            connect=timeouts.connect_s,
            ceil_threshold=_NEVER_ROUND_S,  # aiohttp rounds long time-outs up, past a deadline
        )
        attempt.sent = True
        try:
            async with _within(timeouts.first_byte_s, Kind.TIMEOUT, "no first byte in time"):
                reply = await self._session.post(
                    f"{endpoint.base_url}/chat/completions",
                    data=_body(wire.encode(payload)),
                    headers=headers,
                    timeout=timeout,
                    allow_redirects=False,
                )
            async with reply:
                attempt.first_byte = self._clock()
                attempt.status = reply.status
                if reply.status != 200:  # noqa: PLR2004
                    raise await _refusal(reply, timeouts.idle_s)
                yield reply
        except (TimeoutError, aiohttp.ClientError, EventTooLargeError, OSError) as error:
            raise _translated(error) from error


@asynccontextmanager
async def _within(limit_s: float | None, kind: Kind, message: str) -> AsyncGenerator[None]:
    """Bound what is awaited inside; a CallError of this kind and message where it takes longer."""
    if limit_s is None:
        yield
        return
    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise CallError(kind, message) from None
        raise


def _body(encoded: bytes) -> bytes | BytesIO:
    """Return what aiohttp sends without a warning: from a MiB on it wants to cut a body into pieces itself."""
    return encoded if len(encoded) < _LARGE_BODY_BYTES else BytesIO(encoded)


async def _read(reply: aiohttp.ClientResponse, limit: int, idle_s: float | None) -> bytes:
    return b"".join([piece async for piece in _bounded(reply, limit, idle_s)])


async def _bounded(reply: aiohttp.ClientResponse, limit: int, idle_s: float | None) -> AsyncGenerator[bytes]:
    """Yield the decompressed body; CallError once it is larger than `limit` bytes, or silent for `idle_s`."""
    size = 0
    while True:
        async with _within(idle_s, Kind.TIMEOUT, "the reply fell silent for too long"):
            piece = await reply.content.readany()
        if not piece:
            return
        size += len(piece)
        if size > limit:
            raise CallError(Kind.OVERSIZED, f"the reply is larger than {limit} bytes")
        yield piece


async def _refusal(reply: aiohttp.ClientResponse, idle_s: float | None) -> CallError:
    if reply.status < 400:  # noqa: PLR2004
        return CallError(
            Kind.REJECTED,
            f"HTTP {reply.status}: redirects are not followed; check base_url",
            status=reply.status,
        )
    try:
        body = wire.decode(await _read(reply, MAX_ERROR_BYTES, idle_s))
    except (CallError, aiohttp.ClientError):  # the status alone says enough
        body = None
    return wire.error_from_body(body, reply.status, retry_after_s(reply.headers))


def _as_chunk(completion: dict[str, Any]) -> dict[str, Any]:
    """Turn the whole completion of an upstream that ignored `stream` into the one chunk of a stream."""
    choice = completion["choices"][0]
    message = dict(choice["message"])
    message["tool_calls"] = [
        {"index": index, **call} for index, call in enumerate(message.get("tool_calls") or ())
    ] or None
    finish_reason = choice.get("finish_reason") or "stop"
    return {**completion, "choices": [{**choice, "delta": message, "finish_reason": finish_reason}]}


# In this order: aiohttp's time-outs are ClientErrors as well, and most connector errors are ClientOSErrors.
_TRANSLATIONS: tuple[tuple[tuple[type[Exception], ...], Kind, str], ...] = (
    ((aiohttp.ConnectionTimeoutError,), Kind.TIMEOUT, "no connection in time"),
    ((TimeoutError,), Kind.TIMEOUT, "no complete answer in time"),
    ((EventTooLargeError,), Kind.OVERSIZED, f"the stream holds an event of more than {MAX_EVENT_BYTES} bytes"),
    ((aiohttp.ClientPayloadError,), Kind.TRUNCATED, "the reply broke off in its body"),
    ((aiohttp.ClientConnectorDNSError,), Kind.CONNECT, "the host name cannot be resolved"),
    ((aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError), Kind.CONNECT, "the TLS handshake failed"),
    ((aiohttp.ClientConnectorError,), Kind.CONNECT, "cannot connect"),
    ((aiohttp.ClientResponseError,), Kind.UNPARSABLE, "the reply is not valid HTTP"),
    ((OSError, aiohttp.ServerDisconnectedError), Kind.DISCONNECTED, "the connection closed before a reply came"),
)


def _translated(error: Exception) -> CallError:
    for types, kind, message in _TRANSLATIONS:
        if isinstance(error, types):
            return CallError(kind, message)
    return CallError(Kind.CONNECT, f"the request failed ({type(error).__name__})")
