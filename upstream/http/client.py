"""One upstream: its session, and single HTTP tries at completing or streaming. Retries live in retrying.py.

The only translator of aiohttp's exceptions into ours.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import aiohttp
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from config.settings import Model, Secret
from runtime.timers import TimerWheel
from upstream.calls import Attempt
from upstream.errors import CallError, Kind
from upstream.http.exchange import Connections, Reply, Target, connect, post
from upstream.http.sse import EventReader, EventTooLargeError
from upstream.http.timeouts import AttemptTimer, Expiry, Timeouts
from upstream.openai import wire
from upstream.openai.conversation import Message
from upstream.retry_policy import retry_after_s

MAX_REPLY_BYTES = 32 * 2**20
MAX_EVENT_BYTES = 8 * 2**20
MAX_ERROR_BYTES = 64 * 2**10
_NEVER_ROUND_S = 1e9


_NOT_READY: Expiry = (Kind.NOT_READY, "the embedded model was not ready in time")
_NO_BYTE: Expiry = (Kind.TIMEOUT, "no first byte in time")
_SILENT: Expiry = (Kind.TIMEOUT, "the reply fell silent for too long")


Headers = tuple[tuple[str, str], ...]
"""Headers that config.yaml gives a model, beside those of its endpoint."""


@dataclass(slots=True)
class Endpoint:
    """Where an upstream listens: base URL without trailing slash, and the key it wants. Belongs to the running loop."""

    base_url: str
    api_key: Secret | None
    _targets: dict[Headers, Target] = field(default_factory=dict, init=False, repr=False, compare=False)

    def target(self, headers: Headers) -> Target:
        """Return where chat requests with these headers go, made once."""
        target = self._targets.get(headers)
        if target is None:
            target = self._targets[headers] = Target(URL(f"{self.base_url}/chat/completions"), self._fields(headers))
        return target

    def _fields(self, headers: Headers) -> CIMultiDict[str]:
        fields = CIMultiDict({"User-Agent": "mom-gateway"})
        if self.api_key is not None:
            fields["Authorization"] = f"Bearer {self.api_key.value}"
        fields.update(headers)
        fields["Content-Type"] = "application/json"
        return fields


class Question(NamedTuple):
    """What is asked: the conversation, every other field of the request's body, and headers of the model's own."""

    messages: Sequence[Message]
    fields: Mapping[str, Any]
    headers: Headers = ()


def headers_of(model: Model) -> Headers:
    """Return the headers that config.yaml gives a model."""
    return tuple((name, secret.value) for name, secret in model.headers.items())


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
        timers: TimerWheel,
        max_reply_bytes: int = MAX_REPLY_BYTES,
    ) -> None:
        self._locate = locate
        self._clock = clock
        self._timers = timers
        self._max_reply_bytes = max_reply_bytes
        self._session = aiohttp.ClientSession(
            connector=Connections(limit=0, keepalive_timeout=60),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close the session and every connection of it."""
        await self._session.close()

    async def connect(self, headers: Headers, connect_s: float | None) -> None:
        """Have a connection ready for the next call; where there can be none, that call finds out why."""
        endpoint = self._locate()
        if not isinstance(endpoint, Endpoint):
            endpoint = await endpoint
        with suppress(*_FAULTS):
            await connect(self._session, endpoint.target(headers), _only_to_connect(connect_s))

    async def complete(self, question: Question, *, timeouts: Timeouts, attempt: Attempt) -> dict[str, Any]:
        """Return the checked completion of one attempt; CallError for whatever goes wrong."""
        timer = AttemptTimer(self._timers, timeouts.total_s)
        try:
            with await self._begun(question, timeouts, timer, attempt) as reply:
                body = wire.decode(await _read(reply, self._max_reply_bytes, timeouts.idle_s, timer))
        except _FAULTS as error:
            raise _translated(error) from error
        finally:
            timer.end()
        attempt.usage = wire.read_usage(body)  # paid for, also where the rest is of no use
        return wire.check_completion(body)

    async def stream(
        self, question: Question, *, timeouts: Timeouts, attempt: Attempt
    ) -> AsyncGenerator[dict[str, Any]]:
        """Yield the checked chunks of one attempt up to `[DONE]` or the end of the body; close it when done."""
        timer = AttemptTimer(self._timers, timeouts.total_s)
        try:
            with await self._begun(question, timeouts, timer, attempt) as reply:
                if reply.content_type == "application/json":  # an upstream that ignores `stream`
                    body = await _read(reply, self._max_reply_bytes, timeouts.idle_s, timer)
                    yield _as_chunk(wire.check_completion(wire.decode(body)))
                    return
                reader = EventReader(MAX_EVENT_BYTES)
                async for piece in _bounded(reply, self._max_reply_bytes, timeouts.idle_s, timer):
                    for data in reader.feed(piece):
                        if data.strip() == b"[DONE]":
                            return
                        yield wire.check_chunk(wire.decode(data))
        except _FAULTS as error:
            raise _translated(error) from error
        finally:
            timer.end()

    async def _begun(self, question: Question, timeouts: Timeouts, timer: AttemptTimer, attempt: Attempt) -> Reply:
        """Send an attempt, and return its reply when the headers are here; CallError where they say no."""
        endpoint = self._locate()
        if not isinstance(endpoint, Endpoint):
            with timer.waiting(None, _NOT_READY, _NOT_READY):
                endpoint = await endpoint
        attempt.sent = True
        with timer.waiting(timeouts.first_byte_s, _NO_BYTE):
            reply = await post(
                self._session,
                endpoint.target(question.headers),
                wire.encode(question.messages, question.fields),
                _only_to_connect(timeouts.connect_s),
            )
        attempt.first_byte = self._clock()
        attempt.status = reply.status
        if reply.status == 200:  # noqa: PLR2004
            return reply
        with reply:
            raise await _refusal(reply, timeouts.idle_s, timer)


@lru_cache
def _only_to_connect(connect_s: float | None) -> aiohttp.ClientTimeout:
    """Return aiohttp's time-out for what it alone can see; it rounds long ones up, past a deadline."""
    return aiohttp.ClientTimeout(total=None, connect=connect_s, ceil_threshold=_NEVER_ROUND_S)


async def _read(reply: Reply, limit: int, idle_s: float | None, timer: AttemptTimer) -> bytes:
    content = reply.content
    if content.is_eof() and content.total_bytes <= limit:
        return content.read_nowait()  # it is here as a whole, as short replies are
    return b"".join([piece async for piece in _bounded(reply, limit, idle_s, timer)])


async def _bounded(reply: Reply, limit: int, idle_s: float | None, timer: AttemptTimer) -> AsyncGenerator[bytes]:
    """Yield the decompressed body; CallError once it is larger than `limit` bytes, or silent for `idle_s`."""
    size = 0
    while True:
        with timer.waiting(idle_s, _SILENT):
            piece = await reply.content.readany()
        if not piece:
            return
        size += len(piece)
        if size > limit:
            raise CallError(Kind.OVERSIZED, f"the reply is larger than {limit} bytes")
        yield piece


async def _refusal(reply: Reply, idle_s: float | None, timer: AttemptTimer) -> CallError:
    if reply.status < 400:  # noqa: PLR2004
        return CallError(
            Kind.REJECTED,
            f"HTTP {reply.status}: redirects are not followed; check base_url",
            status=reply.status,
        )
    try:
        body = wire.decode(await _read(reply, MAX_ERROR_BYTES, idle_s, timer))
    except (CallError, aiohttp.ClientError):  # the status alone says enough
        body = None
    return wire.read_error(body, reply.status, retry_after_s(reply.headers))


def _as_chunk(completion: dict[str, Any]) -> dict[str, Any]:
    """Turn the whole completion of an upstream that ignored `stream` into the one chunk of a stream."""
    choice = completion["choices"][0]
    message = dict(choice["message"])
    message["tool_calls"] = [
        {"index": index, **call} for index, call in enumerate(message.get("tool_calls") or ())
    ] or None
    finish_reason = choice.get("finish_reason") or "stop"
    return {**completion, "choices": [{**choice, "delta": message, "finish_reason": finish_reason}]}


_FAULTS = (TimeoutError, aiohttp.ClientError, HttpProcessingError, EventTooLargeError, OSError)
# In this order: aiohttp's time-outs are ClientErrors as well, and most connector errors are ClientOSErrors.
_TRANSLATIONS: tuple[tuple[tuple[type[Exception], ...], Kind, str], ...] = (
    ((aiohttp.ConnectionTimeoutError,), Kind.TIMEOUT, "no connection in time"),
    ((TimeoutError,), Kind.TIMEOUT, "the connection timed out"),
    ((EventTooLargeError,), Kind.OVERSIZED, f"the stream holds an event of more than {MAX_EVENT_BYTES} bytes"),
    ((aiohttp.ClientPayloadError,), Kind.TRUNCATED, "the reply broke off in its body"),
    ((aiohttp.ClientConnectorDNSError,), Kind.CONNECT, "the host name cannot be resolved"),
    ((aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError), Kind.CONNECT, "the TLS handshake failed"),
    ((aiohttp.ClientConnectorError,), Kind.CONNECT, "cannot connect"),
    ((HttpProcessingError,), Kind.UNPARSABLE, "the reply is not valid HTTP"),
    ((OSError, aiohttp.ServerDisconnectedError), Kind.DISCONNECTED, "the connection closed before a reply came"),
)


def _translated(error: Exception) -> CallError:
    for types, kind, message in _TRANSLATIONS:
        if isinstance(error, types):
            where = f" ({error.host}:{error.port})" if isinstance(error, aiohttp.ClientConnectorError) else ""
            return CallError(kind, message + where)
    return CallError(Kind.CONNECT, f"the request failed ({type(error).__name__})")
