"""A model hub with one file, over real sockets, and with the faults that a download meets."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer


class Hub:
    """Serves `content` at `/file`, `/moved` redirects there. Set the other attributes to make it misbehave.

    `ranges` are the Range headers that were asked for; `drop_at` breaks the next connections off after that many
    bytes of the file, one for each entry.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.ranges: list[str | None] = []
        self.drop_at: list[int] = []
        self.ignores_range = False
        self.range_is_off_by = 0
        self.status: int | None = None
        self.declares_length = True
        self.hang_at: int | None = None
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["Hub"]:
        app = web.Application()
        app.router.add_get("/file", self._file)
        app.router.add_get("/moved", self._moved)
        async with TestServer(app) as server:
            self.url = str(server.make_url("/file"))
            yield self

    @property
    def moved_url(self) -> str:
        return self.url.replace("/file", "/moved")

    async def _moved(self, _request: web.Request) -> web.Response:
        raise web.HTTPFound("/file")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        wanted = request.headers.get("Range")
        self.ranges.append(wanted)
        if self.status is not None:
            return web.Response(status=self.status)
        match = re.fullmatch(r"bytes=(\d+)-", wanted or "")
        start = int(match[1]) if match and not self.ignores_range else 0
        reply = web.StreamResponse(status=206 if start else 200)
        if start:
            reply.headers["Content-Range"] = (
                f"bytes {start + self.range_is_off_by}-{len(self.content) - 1}/{len(self.content)}"
            )
        if self.declares_length:
            reply.content_length = len(self.content) - start
        await reply.prepare(request)
        await self._send(request, reply, start)
        return reply

    async def _send(self, request: web.Request, reply: web.StreamResponse, start: int) -> None:
        if self.hang_at is not None:
            await reply.write(self.content[start : self.hang_at])
            await asyncio.Event().wait()
        if not self.drop_at:
            await reply.write(self.content[start:])
            return
        await reply.write(self.content[start : self.drop_at.pop(0)])
        await asyncio.sleep(0.05)  # lets what was written leave before the connection goes
        if request.transport is not None:
            request.transport.abort()
