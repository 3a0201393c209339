"""Write a reply: JSON or server-sent events, committed as late as possible and kept alive until then."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from aiohttp import web

from handlers.api.client_api import Pulse, StreamWriter
from handlers.errors import ApiError
from runtime import json_codec
from runtime.timers import Timer, TimerWheel

# When a reply is committed.
#
# After status and headers are sent, an error can only be reported inside the body, where many clients overlook it. So
# nothing is sent until it must be: a JSON reply is sent as a whole at its end, and a stream sends its headers together
# with its first content. Until then every failure still has a status code of its own, which clients know how to handle.
#
# Only a heartbeat commits earlier. A client (or a proxy before it) that sees no byte for long enough gives up, and an
# answer that was paid for is lost. So after `stream_heartbeat_s` or `json_heartbeat_s` of silence the reply is
# committed as 200 with bytes that every parser skips (an SSE comment, or a space before the JSON), and a later error
# goes into the body. A status code is worth more than an early heartbeat, hence the long default for JSON.


class _LazyResponse(web.StreamResponse):
    """A response whose headers leave together with its first bytes, which saves a system call and a packet."""

    _send_headers_immediately = False  # as in aiohttp's own Response


class _Reply:
    """The connection side of a reply: its headers, its bytes, and the cut-off of a client that does not read.

    `n_bytes` counts the bytes that were written here; a reply that is handed to the server as a whole is not counted.
    Set `copy` to an empty list to have the body's bytes collected there.
    """

    _headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, request: web.Request) -> None:
        self.n_bytes = 0
        self.copy: list[bytes] | None = None
        self._request = request
        self._response: web.StreamResponse | None = None
        self._is_writing = False
        self._is_overdue = False

    @property
    def committed(self) -> bool:
        """Whether status and headers have been sent."""
        return self._response is not None

    def expire(self) -> None:
        """Note that the request's deadline is over: a client that blocks a write is cut off, now or later."""
        self._is_overdue = True
        if self._is_writing:
            self._abort()

    async def _write(self, data: bytes) -> web.StreamResponse:
        """Send bytes, after the headers if they are the first; waits while the client reads more slowly."""
        response = self._response
        if response is None:
            response = _LazyResponse(headers=self._headers)
            await response.prepare(self._request)
            self._response = response
        self.n_bytes += len(data)
        self._begin_write()
        try:
            await response.write(data)
        finally:
            self._is_writing = False
        return response

    async def _finish(self, data: bytes) -> web.StreamResponse:
        """Send the last bytes of a reply that has begun, and end it."""
        if self._response is None:
            raise RuntimeError("a reply must be written to before it can end")
        self.n_bytes += len(data)
        self._begin_write()
        try:
            await self._response.write_eof(data)
        finally:
            self._is_writing = False
        return self._response

    def _begin_write(self) -> None:
        if self._is_overdue and self._request.protocol.writing_paused:
            self._abort()
            raise ConnectionResetError("the client does not read, and the deadline of its request is over")
        self._is_writing = True

    def _abort(self) -> None:
        transport = self._request.transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()


class JsonReply(_Reply):
    """A JSON reply: set `body`, then call `end`.

    Once a heartbeat has been sent the status is 200 and an error goes into the body, as `error_body` writes it.
    """

    _headers: ClassVar = {"Content-Type": "application/json; charset=utf-8"}

    def __init__(self, request: web.Request, error_body: Callable[[ApiError], bytes]) -> None:
        super().__init__(request)
        self.body: dict[str, Any] = {}
        self._error_body = error_body

    def silent_s(self) -> float | None:
        """Return the seconds since the last write, or None because a JSON reply does not measure them."""
        return None

    async def send_heartbeat(self) -> None:
        """Send a space, which JSON parsers skip, to keep the client from timing out."""
        await self._write(b" ")

    async def end(self) -> web.StreamResponse:
        """Send the body and end the reply."""
        data = json_codec.encode_line(self.body)
        if self.copy is not None:
            self.copy.append(data)
        if not self.committed:
            return web.Response(body=data, content_type="application/json", charset="utf-8")
        return await self._finish(data)

    async def repeat(self, body: bytes) -> web.StreamResponse:
        """Send the body of an earlier reply."""
        return web.Response(body=body, content_type="application/json", charset="utf-8")

    @property
    def has_status(self) -> bool:
        """Whether an error can only be sent in the body: status and headers are sent."""
        return self.committed

    async def fail(self, error: ApiError) -> web.StreamResponse:
        """Send an error as the body, in the shape of the client API."""
        return await self._finish(self._error_body(error))


class SseReply(_Reply):
    """A reply as server-sent events. After the first byte an error is sent as an event.

    `last` is sent together with the end of the stream.
    """

    _headers: ClassVar = {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-cache",
        "X-Accel-Buffering": "no",
    }

    def __init__(self, request: web.Request, writer: StreamWriter, *, fails_in_stream: bool = False) -> None:
        super().__init__(request)
        self.writer = writer
        self.last = b""
        self._fails_in_stream = fails_in_stream
        self._clock = asyncio.get_running_loop().time
        self._last_write: float | None = None

    def silent_s(self) -> float | None:
        """Return the seconds since the last write, or None before the first."""
        return None if self._last_write is None else self._clock() - self._last_write

    async def send_heartbeat(self) -> None:
        """Send bytes that keep this API's clients from timing out."""
        await self.write(self.writer.heartbeat())

    async def write(self, data: bytes) -> None:
        """Send bytes; waits while the client reads more slowly than we write."""
        self._last_write = self._clock()
        if self.copy is not None:
            self.copy.append(data)
        await self._write(data)

    async def end(self) -> web.StreamResponse:
        """End the stream cleanly."""
        if self.copy is not None:
            self.copy.append(self.last)
        return await self._finish(self.last)

    async def repeat(self, body: bytes) -> web.StreamResponse:
        """Send the events of an earlier reply."""
        await self.write(body)
        return await self.end()

    @property
    def has_status(self) -> bool:
        """Whether an error can only be sent as an event: the status is sent, or this API never sends another."""
        return self.committed or self._fails_in_stream

    async def fail(self, error: ApiError) -> web.StreamResponse:
        """Send an error as the stream's last event."""
        last = self.writer.fail(error)
        if not self.committed:
            await self.write(last)
        else:
            self.last = last
        return await self.end()


class Heartbeat:
    """Sends a heartbeat whenever the reply has been silent for longer than its pulse allows, until `end`.

    Most replies are complete before the first heartbeat is due. Until then this is one shared timer and no task.
    """

    def __init__(self, pulse: Pulse, reply: JsonReply | SseReply, timers: TimerWheel) -> None:
        self._pulse = pulse
        self._reply = reply
        self._timers = timers
        self._timer: Timer | None = None
        self._sending: asyncio.Task[None] | None = None
        if pulse.first_s:
            self._schedule(pulse.first_s)

    async def end(self) -> None:
        """Send no more heartbeats; waits for one that is being sent."""
        if self._sending is not None:
            await asyncio.gather(self._sending, return_exceptions=True)  # it may schedule the next one
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self, pause_s: float) -> None:
        self._timer = self._timers.call_at(self._timers.now() + pause_s, self._on_due)

    def _on_due(self) -> None:
        silent_s = self._reply.silent_s()
        if silent_s is not None:
            if not self._pulse.interval_s:
                return
            pause_s = self._pulse.interval_s - silent_s
            if pause_s > 0:
                self._schedule(pause_s)
                return
        self._sending = asyncio.get_running_loop().create_task(self._reply.send_heartbeat())
        self._sending.add_done_callback(self._on_sent)

    def _on_sent(self, sending: "asyncio.Task[None]") -> None:
        is_lost = sending.cancelled() or sending.exception() is not None  # the reply itself notices a lost client
        if not is_lost and self._pulse.interval_s:
            self._schedule(self._pulse.interval_s)
