"""One upstream: single HTTP tries at a completion or a stream. Retries are in retrying.py.

The only place that translates aiohttp's exceptions into ours.
"""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import aiohttp
from aiohttp.http import HttpProcessingError
from aiohttp.http_exceptions import BadStatusLine, ContentEncodingError, LineTooLong
from multidict import CIMultiDict
from yarl import URL

from config.settings import Model, Secret
from runtime.json_steps import Steps
from runtime.time_slice import TimeSlice
from runtime.timers import TimerWheel
from upstream.calls import Attempt
from upstream.dialects import CHAT, Dialect
from upstream.errors import CallError, Kind
from upstream.http.direct_exchange import DirectExchange
from upstream.http.exchange import MAX_HEADER_BYTES, Exchange, Reply, Target
from upstream.http.sse import EventTooLargeError
from upstream.http.timeouts import AttemptTimer, Expiry, Timeouts
from upstream.openai import wire
from upstream.openai.conversation import Conversation
from upstream.openai.error_replies import read_error
from upstream.openai.reply_decoder import ReplyDecoder, decode_completion
from upstream.openai.retry_advice import find_quoted_headers
from upstream.retry_policy import reset_after_s, retry_after_s

MAX_REPLY_BYTES = 16 * 2**20
MAX_EVENT_BYTES = 8 * 2**20
MAX_ERROR_BYTES = 256 * 2**10  # some repeat the whole request in their errors; the cause comes first

_MAX_REASON_CHARS = 120
_SHOULD_RETRY = {"true": True, "false": False}  # a header that the OpenAI SDKs obey

_NOT_READY: Expiry = (Kind.NOT_READY, "the embedded model was not ready within {} s")
_NO_BYTE: Expiry = (Kind.TIMEOUT, "no first byte within {} s")
_SILENT: Expiry = (Kind.TIMEOUT, "the reply paused for more than {} s")


Headers = tuple[tuple[str, str], ...]
"""Headers of a model from config.yaml, beside those of its endpoint."""


@dataclass(slots=True)
class Endpoint:
    """Where an upstream listens: base URL without trailing slash, and its key. Belongs to the running loop."""

    base_url: str
    api_key: Secret | None
    _targets: dict[tuple[Headers, str], Target] = field(default_factory=dict, init=False, repr=False, compare=False)

    def target(self, headers: Headers, dialect: Dialect, exchange: Exchange) -> Target:
        """Return the target of requests with these headers in this dialect, made once."""
        key = headers, dialect.path
        target = self._targets.get(key)
        if target is None:
            url = URL(f"{self.base_url}{dialect.path}")
            target = self._targets[key] = exchange.target(url, self._fields(headers, dialect))
        return target

    def _fields(self, headers: Headers, dialect: Dialect) -> CIMultiDict[str]:
        fields = CIMultiDict({"User-Agent": "mom-gateway"})
        fields.update(dialect.auth_headers(None if self.api_key is None else self.api_key.value))
        fields.update(headers)
        fields["Content-Type"] = "application/json"
        return fields


class ChatRequest(NamedTuple):
    """A request for a completion: the conversation, the other fields of its body, the model's own headers, its dialect.

    Messages and fields are those of Chat Completions in every dialect.
    """

    messages: Conversation
    fields: Mapping[str, Any]
    headers: Headers = ()
    dialect: Dialect = CHAT

    def encode(self) -> tuple[bytes, ...]:
        """Return the body in pieces."""
        return self.dialect.encode(self.messages, self.fields)

    def encode_in_steps(self) -> Steps[tuple[bytes, ...]]:
        """Return the body in pieces, for a large conversation."""
        return self.dialect.encode_in_steps(self.messages, self.fields)


def headers_of(model: Model) -> Headers:
    """Return the headers of a model from config.yaml."""
    return tuple((name, secret.value) for name, secret in model.headers.items())


class Upstream:
    """An HTTP service that answers chat requests, behind one pool of kept-alive connections.

    `locate` returns the endpoint for each attempt: at once for a hosted service, and for an embedded model when its
    child process listens. `max_reply_bytes` limits a decompressed reply. `exchange` makes the HTTP client. Close with
    `close()`. Cancelling an attempt closes its connection, so that the upstream notices.
    """

    def __init__(
        self,
        locate: Callable[[], Endpoint | Awaitable[Endpoint]],
        *,
        clock: Callable[[], float],
        timers: TimerWheel,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        exchange: Callable[[], Exchange] = DirectExchange,
    ) -> None:
        self._locate = locate
        self._clock = clock
        self._timers = timers
        self._max_reply_bytes = max_reply_bytes
        self._exchange = exchange()

    async def close(self) -> None:
        """Close every connection."""
        await self._exchange.close()

    async def connect(self, headers: Headers, dialect: Dialect, connect_s: float | None) -> None:
        """Open a connection for the next call. Failures are ignored: the call itself will report them."""
        endpoint = self._locate()
        if not isinstance(endpoint, Endpoint):
            endpoint = await endpoint
        with suppress(*_FAULTS):
            await self._exchange.connect(endpoint.target(headers, dialect, self._exchange), connect_s)

    async def complete(self, request: ChatRequest, *, timeouts: Timeouts, attempt: Attempt) -> dict[str, Any]:
        """Return the checked completion of one attempt. Raises CallError on any failure."""
        body = wire.unwrap(await self.ask(request, timeouts=timeouts, attempt=attempt))
        attempt.usage = wire.read_usage(body)  # paid for, even if the rest is unusable
        return wire.check_completion(body)

    async def ask(self, request: ChatRequest, *, timeouts: Timeouts, attempt: Attempt) -> Any:
        """Return the JSON value that an upstream replies with, unchecked. Raises CallError on any failure."""
        timer = AttemptTimer(self._timers, timeouts.total_s)
        try:
            with await self._send(request, timeouts, timer, attempt) as reply:
                data, break_off = await _read(reply, self._max_reply_bytes, timeouts.idle_s, timer, attempt)
            with _explain_incomplete(break_off):
                body = await decode_completion(data, MAX_EVENT_BYTES, self._timers.now, request.dialect.translator())
        except _FAULTS as error:
            raise _translate(error) from error
        finally:
            timer.end()
        return body

    async def stream(
        self, request: ChatRequest, *, timeouts: Timeouts, attempt: Attempt
    ) -> AsyncGenerator[dict[str, Any]]:
        """Yield the checked chunks of one attempt up to `[DONE]` or the end of the body. Close it when done."""
        timer = AttemptTimer(self._timers, timeouts.total_s)
        try:
            with await self._send(request, timeouts, timer, attempt) as reply:
                decoder = ReplyDecoder(MAX_EVENT_BYTES, request.dialect.translator())
                time_slice = TimeSlice(self._timers.now)
                try:
                    async for piece in _bounded(reply, self._max_reply_bytes, timeouts.idle_s, timer):
                        for chunk in decoder.feed(piece):
                            yield chunk
                            if time_slice.is_over():
                                await time_slice.pause()
                        if decoder.is_done:
                            return
                except aiohttp.ClientPayloadError as break_off:
                    with _explain_incomplete(break_off):
                        for chunk in await time_slice.run(decoder.end()):
                            yield chunk
                    raise
                for chunk in await time_slice.run(decoder.end()):
                    yield chunk
        except _FAULTS as error:
            raise _translate(error) from error
        finally:
            timer.end()

    def _encode_slowly(self, request: ChatRequest) -> Callable[[], Awaitable[tuple[bytes, ...]]]:
        return lambda: TimeSlice(self._timers.now).run(request.encode_in_steps())

    async def _send(self, request: ChatRequest, timeouts: Timeouts, timer: AttemptTimer, attempt: Attempt) -> Reply:
        """Send an attempt, and return its reply when the headers are here. Raises CallError if they refuse it."""
        endpoint = self._locate()
        if not isinstance(endpoint, Endpoint):
            with timer.waiting(None, _NOT_READY, _NOT_READY):
                endpoint = await endpoint
        attempt.sent = True
        with timer.waiting(timeouts.first_byte_s, _NO_BYTE):
            target = endpoint.target(request.headers, request.dialect, self._exchange)
            encode = self._encode_slowly(request) if request.messages.is_large else request.encode
            reply = await self._exchange.post(target, encode, timeouts.connect_s)
        attempt.first_byte = self._clock()
        attempt.status = reply.status
        if 200 <= reply.status < 300:  # noqa: PLR2004 -- some send 201 or 206 for an answer
            return reply
        with reply:
            raise await _read_refusal(reply, timeouts.idle_s, timer)


# A proxy may close a connection without the end of a chunked body, or state a wrong length. Whether JSON is complete is
# certain without that, and a complete answer is paid for: it counts.
@contextmanager
def _explain_incomplete(break_off: aiohttp.ClientPayloadError | None) -> Iterator[None]:
    """Decode a body that broke off, if it did: if the part that came is incomplete, raises the cause of that."""
    try:
        yield
    except CallError as error:
        if break_off is None or error.kind not in (Kind.UNPARSABLE, Kind.TRUNCATED):
            raise
    else:
        return
    raise break_off


async def _read(
    reply: Reply, limit: int, idle_s: float | None, timer: AttemptTimer, attempt: Attempt
) -> tuple[bytes, aiohttp.ClientPayloadError | None]:
    """Return the decompressed body, and the error if it broke off. Notes its size in the attempt as it comes."""
    content = reply.content
    if content.is_eof() and content.total_bytes <= limit:
        attempt.received_bytes = content.total_bytes
        return content.read_nowait(), None  # a short reply has arrived with its headers
    pieces: list[bytes] = []
    try:
        async for piece in _bounded(reply, limit, idle_s, timer, attempt):
            pieces.append(piece)  # noqa: PERF401 -- those before it breaks off count
    except aiohttp.ClientPayloadError as error:
        return b"".join(pieces), error
    return b"".join(pieces), None


async def _bounded(
    reply: Reply, limit: int, idle_s: float | None, timer: AttemptTimer, attempt: Attempt | None = None
) -> AsyncGenerator[bytes]:
    """Yield the decompressed body. Raises CallError if it is larger than `limit` bytes, or silent for `idle_s`."""
    size = 0
    while True:
        with timer.waiting(idle_s, _SILENT):
            piece = await reply.content.readany()
        if not piece:
            return
        size += len(piece)
        if attempt is not None:
            attempt.received_bytes = size
        if size > limit:
            raise CallError(Kind.OVERSIZED, f"the reply is larger than {limit} bytes")
        yield piece


async def _read_start(reply: Reply, limit: int, idle_s: float | None, timer: AttemptTimer) -> bytes:
    """Return the body up to `limit` bytes, or up to the point where it breaks off."""
    pieces: list[bytes] = []
    with suppress(CallError, aiohttp.ClientError):
        async for piece in _bounded(reply, limit, idle_s, timer):
            pieces.append(piece)  # noqa: PERF401 -- what came before it breaks off counts
    return b"".join(pieces)


async def _read_refusal(reply: Reply, idle_s: float | None, timer: AttemptTimer) -> CallError:
    if reply.status < 400:  # noqa: PLR2004
        target = reply.headers.get("Location", "").partition("?")[0][:_MAX_REASON_CHARS]
        where = f", which leads to {target}" if target else ""
        message = f"HTTP {reply.status}: redirects are not followed; check base_url{where}"
        return CallError(Kind.REJECTED, message, status=reply.status)
    body = wire.decode_or_text(await _read_start(reply, MAX_ERROR_BYTES, idle_s, timer)) or None
    should_retry = _SHOULD_RETRY.get(reply.headers.get("x-should-retry", "").strip().lower())
    error = read_error(body, reply.status, retry_after_s(reply.headers), should_retry=should_retry)
    if error.kind is Kind.RATE_LIMITED and error.retry_after_s is None:
        error.retry_after_s = reset_after_s(CIMultiDict({**find_quoted_headers(body), **reply.headers}))
    return error


_FAULTS = (TimeoutError, aiohttp.ClientError, HttpProcessingError, EventTooLargeError, OSError)
# In this order: aiohttp's timeouts are ClientErrors as well, and most connector errors are ClientOSErrors.
_TRANSLATIONS: tuple[tuple[tuple[type[Exception], ...], Kind, str], ...] = (
    ((aiohttp.ConnectionTimeoutError,), Kind.TIMEOUT, "no connection in time"),
    ((TimeoutError,), Kind.TIMEOUT, "the connection timed out"),
    ((EventTooLargeError,), Kind.OVERSIZED, f"the stream holds an event of more than {MAX_EVENT_BYTES} bytes"),
    ((aiohttp.ClientPayloadError,), Kind.TRUNCATED, "the reply broke off in its body"),
    ((aiohttp.ClientConnectorDNSError,), Kind.CONNECT, "the host name cannot be resolved"),
    ((aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError), Kind.CONNECT, "the TLS handshake failed"),
    ((aiohttp.ClientConnectorError,), Kind.CONNECT, "cannot connect"),
    ((HttpProcessingError, aiohttp.ClientResponseError), Kind.UNPARSABLE, "the reply is not valid HTTP"),
    ((OSError, aiohttp.ServerDisconnectedError), Kind.DISCONNECTED, "the connection closed before a reply came"),
)


# aiohttp wraps these in errors of other types, whose messages quote the reply.
_MALFORMED: tuple[tuple[type[Exception], str], ...] = (
    (ContentEncodingError, "the reply is not compressed as its Content-Encoding says, or in a way that cannot be read"),
    (LineTooLong, f"the reply has a header of more than {MAX_HEADER_BYTES} bytes"),
    (BadStatusLine, "the reply is not HTTP; check the scheme, host and port of base_url"),
)
_MAX_CAUSES = 5


def _translate(error: Exception) -> CallError:
    causes = list(islice(_iterate_causes(error), _MAX_CAUSES))
    for malformed, message in _MALFORMED:
        if any(isinstance(cause, malformed) for cause in causes):
            return CallError(Kind.UNPARSABLE, message)
    for types, kind, message in _TRANSLATIONS:
        if isinstance(error, types):
            return CallError(kind, message + _describe_address(error))
    return CallError(Kind.CONNECT, f"the request failed ({type(error).__name__})")


def _iterate_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _describe_address(error: Exception) -> str:
    """Return where a connection failed, and the system's reason: " (127.0.0.1:9: Connection refused)"."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "")
        return f" ({error.host}:{error.port}{_append(reason)})"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno  # negative if the resolver failed, whose numbers are not those of errno
        return f" ({error.host}:{error.port}{_append(os.strerror(number) if number and number > 0 else '')})"
    return ""


def _append(reason: str) -> str:
    return f": {reason[:_MAX_REASON_CHARS]}" if reason else ""
