"""One upstream: its session, and single HTTP tries at completing or streaming. Retries live in retrying.py.

The only translator of aiohttp's exceptions into ours.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from types import TracebackType
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

    `locate` gives the endpoint for each attempt: at once for hosted services, for an embedded model when its child
    listens. A reply may have `max_reply_bytes`, unpacked. Close it with `close()`; cancelling an attempt closes its
    connection, so that the upstream sees it.
    """

    def __init__(
        self,
        locate: Callable[[], Endpoint | Awaitable[Endpoint]],
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
        self, payload: Mapping[str, Any], headers: Mapping[str, str], *, timeouts: Timeouts, attempt: Attempt
    ) -> dict[str, Any]:
        """Return the checked completion of one attempt; CallError for whatever goes wrong."""
        try:
            async with await self._begun(payload, headers, timeouts, attempt) as reply:
                await self._check_status(reply, timeouts, attempt)
                body = wire.decode(await _read(reply, self._max_reply_bytes, timeouts.idle_s))
        except _FAULTS as error:
            raise _translated(error) from error
        attempt.usage = wire.usage_of(body)  # paid for, also where the rest is of no use
        return wire.check_completion(body)

    async def stream(
        self, payload: Mapping[str, Any], headers: Mapping[str, str], *, timeouts: Timeouts, attempt: Attempt
    ) -> AsyncGenerator[dict[str, Any]]:
        """Yield the checked chunks of one attempt up to `[DONE]` or the end of the body; close it when done."""
        try:
            async with await self._begun(payload, headers, timeouts, attempt) as reply:
                await self._check_status(reply, timeouts, attempt)
                if reply.content_type == "application/json":  # an upstream that ignores `stream`
                    body = await _read(reply, self._max_reply_bytes, timeouts.idle_s)
                    yield _as_chunk(wire.check_completion(wire.decode(body)))
                    return
                reader = EventReader(MAX_EVENT_BYTES)
                async for piece in _bounded(reply, self._max_reply_bytes, timeouts.idle_s):
                    for data in reader.feed(piece):
                        if data.strip() == b"[DONE]":
                            return
                        yield wire.check_chunk(wire.decode(data))
        except _FAULTS as error:
            raise _translated(error) from error

    async def _begun(
        self, payload: Mapping[str, Any], headers: Mapping[str, str], timeouts: Timeouts, attempt: Attempt
    ) -> aiohttp.ClientResponse:
        """Send an attempt, and return its reply when the headers are here."""
        endpoint = self._locate()
        if not isinstance(endpoint, Endpoint):
            async with _Within(timeouts.total_s, Kind.NOT_READY, "the embedded model was not ready in time"):
                endpoint = await endpoint
        if endpoint.api_key is not None:
            headers = {"Authorization": f"Bearer {endpoint.api_key.value}", **headers}
        headers = {**headers, "Content-Type": "application/json"}
        attempt.sent = True
        async with _Within(timeouts.first_byte_s, Kind.TIMEOUT, "no first byte in time"):
            return await self._session.post(
                f"{endpoint.base_url}/chat/completions",
                data=_body(wire.encode(payload)),
                headers=headers,
                timeout=aiohttp.ClientTimeout(
                    total=timeouts.total_s,
                    connect=timeouts.connect_s,
                    ceil_threshold=_NEVER_ROUND_S,  # aiohttp rounds long time-outs up, past a deadline
                ),
                allow_redirects=False,
            )

    async def _check_status(self, reply: aiohttp.ClientResponse, timeouts: Timeouts, attempt: Attempt) -> None:
        attempt.first_byte = self._clock()
        attempt.status = reply.status
        if reply.status != 200:  # noqa: PLR2004
            raise await _refusal(reply, timeouts.idle_s)


class _Within:
    """Bounds what is awaited inside; a CallError of this kind and message where it takes longer than `limit_s`.

    A class, because it is entered several times for each call, mostly with nothing to bound.
    """

    __slots__ = ("_kind", "_limit", "_message")

    def __init__(self, limit_s: float | None, kind: Kind, message: str) -> None:
        self._limit = None if limit_s is None else asyncio.timeout(limit_s)
        self._kind = kind
        self._message = message

    async def __aenter__(self) -> None:
        if self._limit is not None:
            await self._limit.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._limit is None:
            return
        try:
            await self._limit.__aexit__(kind, error, traceback)
        except TimeoutError:
            raise CallError(self._kind, self._message) from None


def _body(encoded: bytes) -> bytes | BytesIO:
    """Return what aiohttp sends without a warning: from a MiB on it wants to cut a body into pieces itself."""
    return encoded if len(encoded) < _LARGE_BODY_BYTES else BytesIO(encoded)


async def _read(reply: aiohttp.ClientResponse, limit: int, idle_s: float | None) -> bytes:
    if idle_s is None and reply.content.is_eof() and reply.content.total_bytes <= limit:
        return await reply.content.read()  # it is here as a whole, as short replies are
    return b"".join([piece async for piece in _bounded(reply, limit, idle_s)])


async def _bounded(reply: aiohttp.ClientResponse, limit: int, idle_s: float | None) -> AsyncGenerator[bytes]:
    """Yield the decompressed body; CallError once it is larger than `limit` bytes, or silent for `idle_s`."""
    size = 0
    while True:
        async with _Within(idle_s, Kind.TIMEOUT, "the reply fell silent for too long"):
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


_FAULTS = (TimeoutError, aiohttp.ClientError, EventTooLargeError, OSError)
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
            where = f" ({error.host}:{error.port})" if isinstance(error, aiohttp.ClientConnectorError) else ""
            return CallError(kind, message + where)
    return CallError(Kind.CONNECT, f"the request failed ({type(error).__name__})")
