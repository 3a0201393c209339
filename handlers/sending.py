"""Getting a reply out: committed as late as possible, and kept alive while nothing can be said yet."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from handlers.errors import ApiError


class JsonReply:
    """A JSON reply: fill in `body`, then end it.

    Once a beat has gone out the status is 200 for good, and an error is told in the body.
    """

    def __init__(self, request: web.Request) -> None:
        self.body: Mapping[str, Any] = {}
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
            response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
            await response.prepare(self._request)
            self._response = response
        await self._response.write(b" ")

    async def end(self) -> web.StreamResponse:
        """Send the body and end the reply."""
        if self._response is None:
            return web.json_response(self.body)
        await self._response.write(json.dumps(self.body).encode("ascii"))
        await self._response.write_eof()
        return self._response

    async def fail(self, error: ApiError) -> web.StreamResponse:
        """Send an error: with its own status if nothing has gone out yet."""
        if self._response is None:
            raise error
        self.body = error.body()
        return await self.end()


class SseReply:
    """A reply as server-sent events. Once anything has gone out, an error is told as an event."""

    def __init__(self, request: web.Request) -> None:
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
            response = web.StreamResponse(
                headers={
                    "Content-Type": "text/event-stream; charset=utf-8",
                    "Cache-Control": "no-cache",
                    "X-Accel-Buffering": "no",
                }
            )
            await response.prepare(self._request)
            self._response = response
        self._last_write = self._clock()
        await self._response.write(data)

    async def end(self) -> web.StreamResponse:
        """End the reply cleanly."""
        if self._response is None:
            raise RuntimeError("a stream that was never begun cannot end")
        await self._response.write_eof()
        return self._response

    async def fail(self, error: ApiError) -> web.StreamResponse:
        """Send an error: as a reply of its own if nothing has gone out yet, else as the stream's last event."""
        if self._response is None:
            raise error
        await self.write(error.sse())
        return await self.end()


@asynccontextmanager
async def heartbeat(interval_s: float, reply: JsonReply | SseReply) -> AsyncGenerator[None]:
    """Let the reply beat whenever it was silent for `interval_s` seconds (0: never) while the block runs.

    The end of the block waits for a beat that is under way.
    """
    if not interval_s:
        yield
        return
    beating = asyncio.Lock()
    task = asyncio.create_task(_beat(interval_s, reply, beating))
    try:
        yield
    finally:
        async with beating:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _beat(interval_s: float, reply: JsonReply | SseReply, beating: asyncio.Lock) -> None:
    pause_s = interval_s
    while True:
        await asyncio.sleep(pause_s)
        silent_s = reply.silent_s()
        pause_s = interval_s - (silent_s or 0.0)
        if silent_s is None or pause_s <= 0:
            async with beating:
                await reply.beat()
            pause_s = interval_s
