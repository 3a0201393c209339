"""Getting a reply out: committed as late as possible, and kept alive while nothing can be said yet."""

import asyncio
from typing import Any

from aiohttp import web

from handlers.errors import ApiError
from runtime import json_codec
from runtime.timers import Timer, TimerWheel


class _Begun(web.StreamResponse):
    """A reply whose headers go out together with its first bytes: half of what the first word costs is the sending."""

    _send_headers_immediately = False  # as aiohttp's own Response has it


class JsonReply:
    """A JSON reply: fill in `body`, then end it.

    Once a beat has gone out the status is 200 for good, and an error is told in the body. `n_bytes` counts what it has
    sent itself: not a reply that it leaves to the server as a whole.
    """

    def __init__(self, request: web.Request) -> None:
        self.body: dict[str, Any] = {}
        self.n_bytes = 0
        self._request = request
        self._response: web.StreamResponse | None = None

    @property
    def committed(self) -> bool:
        """Whether status and headers have gone out."""
        return self._response is not None

    def silent_s(self) -> float | None:
        """Return for how many seconds nothing has gone out; None where that is not known."""
        return None

    async def beat(self) -> None:
        """Send white space, which JSON readers skip, so that the client does not give up."""
        if self._response is None:
            response = _Begun(headers={"Content-Type": "application/json; charset=utf-8"})
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
        """Send an error: with its own status if nothing has gone out yet."""
        if self._response is None:
            raise error
        self.body = error.body()
        return await self.end()


class SseReply:
    """A reply as server-sent events. Once anything has gone out, an error is told as an event.

    `last` goes out with the end. `n_bytes` counts what was sent.
    """

    def __init__(self, request: web.Request) -> None:
        self.last = b""
        self.n_bytes = 0
        self._request = request
        self._response: web.StreamResponse | None = None
        self._clock = asyncio.get_running_loop().time
        self._last_write: float | None = None

    @property
    def committed(self) -> bool:
        """Whether status and headers have gone out."""
        return self._response is not None

    def silent_s(self) -> float | None:
        """Return for how many seconds nothing has gone out; None where nothing has yet."""
        return None if self._last_write is None else self._clock() - self._last_write

    async def beat(self) -> None:
        """Send a comment, which readers of events skip, so that the client does not give up."""
        await self.write(b": keep-alive\n\n")

    async def write(self, data: bytes) -> None:
        """Send bytes; waits while the client reads more slowly than we write."""
        if self._response is None:
            response = _Begun(
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
        """End the reply cleanly."""
        if self._response is None:
            raise RuntimeError("a stream that was never begun cannot end")
        self.n_bytes += len(self.last)
        await self._response.write_eof(self.last)
        return self._response

    async def fail(self, error: ApiError) -> web.StreamResponse:
        """Send an error: as a reply of its own if nothing has gone out yet, else as the stream's last event."""
        if self._response is None:
            raise error
        self.last = error.sse()
        return await self.end()


class Heartbeat:
    """Has the reply beat whenever it was silent for `interval_s` seconds (0: never), from now until its `end`.

    Most replies are done before the first beat: until then it is a timer.
    """

    def __init__(self, interval_s: float, reply: JsonReply | SseReply, timers: TimerWheel) -> None:
        self._interval_s = interval_s
        self._reply = reply
        self._timers = timers
        self._timer: Timer | None = None
        self._beat: asyncio.Task[None] | None = None
        if interval_s:
            self._wait(interval_s)

    async def end(self) -> None:
        """Beat no more; waits for a beat that is under way."""
        if self._beat is not None:
            await asyncio.gather(self._beat, return_exceptions=True)  # after which the next one may be due
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self, pause_s: float) -> None:
        self._timer = self._timers.call_at(self._timers.now() + pause_s, self._due)

    def _due(self) -> None:
        silent_s = self._reply.silent_s()
        pause_s = self._interval_s - (silent_s or 0.0)
        if silent_s is not None and pause_s > 0:
            self._wait(pause_s)
            return
        self._beat = asyncio.get_running_loop().create_task(self._reply.beat())
        self._beat.add_done_callback(self._beaten)

    def _beaten(self, beat: "asyncio.Task[None]") -> None:
        if not beat.cancelled() and beat.exception() is None:  # a client that left is the reply's to notice
            self._wait(self._interval_s)
