"""Write a reply: JSON or server-sent events, committed as late as possible and kept alive until then."""

import asyncio
from typing import Any

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


class JsonReply:
    """A JSON reply: set `body`, then call `end`.

    Once a heartbeat has been sent the status is 200 and an error goes into the body. `n_bytes` counts the bytes that
    this class has sent itself; a reply that is handed to the server as a whole is not counted.
    """

    def __init__(self, request: web.Request) -> None:
        self.body: dict[str, Any] = {}
        self.n_bytes = 0
        self._request = request
        self._response: web.StreamResponse | None = None

    @property
    def committed(self) -> bool:
        """Whether status and headers have been sent."""
        return self._response is not None

    def silent_s(self) -> float | None:
        """Return the seconds since the last write, or None because a JSON reply does not measure them."""
        return None

    async def send_heartbeat(self) -> None:
        """Send a space, which JSON parsers skip, to keep the client from timing out."""
        if self._response is None:
            response = _LazyResponse(headers={"Content-Type": "application/json; charset=utf-8"})
            await response.prepare(self._request)
            self._response = response
        self.n_bytes += 1
        await self._response.write(b" ")

    async def end(self) -> web.StreamResponse:
        """Send the body and end the reply."""
        data = json_codec.encode(self.body)
        if self._response is None:
            return web.Response(body=data, content_type="application/json", charset="utf-8")
        self.n_bytes += len(data)
        await self._response.write(data)
        await self._response.write_eof()
        return self._response

    async def fail(self, error: ApiError) -> web.StreamResponse:
        """Send an error: with its own status if nothing has been sent yet, else as the body."""
        if self._response is None:
            raise error
        self.body = error.body()
        return await self.end()


class SseReply:
    """A reply as server-sent events. After the first byte an error is sent as an event.

    `last` is sent together with the end of the stream. `n_bytes` counts the bytes sent.
    """

    def __init__(self, request: web.Request, writer: StreamWriter, *, fails_in_stream: bool = False) -> None:
        self.writer = writer
        self.last = b""
        self.n_bytes = 0
        self._request = request
        self._response: web.StreamResponse | None = None
        self._fails_in_stream = fails_in_stream
        self._clock = asyncio.get_running_loop().time
        self._last_write: float | None = None

    @property
    def committed(self) -> bool:
        """Whether status and headers have been sent."""
        return self._response is not None

    def silent_s(self) -> float | None:
        """Return the seconds since the last write; None before the first."""
        return None if self._last_write is None else self._clock() - self._last_write

    async def send_heartbeat(self) -> None:
        """Send what keeps this API's clients from timing out."""
        await self.write(self.writer.heartbeat())

    async def write(self, data: bytes) -> None:
        """Send bytes; waits while the client reads more slowly than we write."""
        if self._response is None:
            response = _LazyResponse(
                headers={
                    "Content-Type": "text/event-stream; charset=utf-8",
                    "Cache-Control": "no-cache",
                    "X-Accel-Buffering": "no",
                }
            )
            await response.prepare(self._request)
            self._response = response
        self._last_write = self._clock()
        self.n_bytes += len(data)
        await self._response.write(data)

    async def end(self) -> web.StreamResponse:
        """End the stream cleanly."""
        if self._response is None:
            raise RuntimeError("a stream must be written to before it can end")
        self.n_bytes += len(self.last)
        await self._response.write_eof(self.last)
        return self._response

    async def fail(self, error: ApiError) -> web.StreamResponse:
        """Send an error: as a reply of its own if nothing has been sent yet, else as the stream's last event."""
        if self._response is None and not self._fails_in_stream:
            raise error
        last = self.writer.fail(error)
        if self._response is None:
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
