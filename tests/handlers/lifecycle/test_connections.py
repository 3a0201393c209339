"""Deadlines of client connections, over real sockets and on a clock of the test's own."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from config.settings import Server
from handlers.lifecycle import connections as module
from handlers.lifecycle.connections import ClientConnection, Connections, connection_of
from tests.fakes import FakeUpstream
from tests.running import Gateway, model, running, settings
from tests.upstream.clocks import Clock

LIMITS = Server(header_timeout_s=10, keepalive_timeout_s=75, write_timeout_s=30)
SECRET = "sk-canary-PROMPT"
WAIT_S = 30.0
LARGE = b"x" * (64 << 20)  # more than the kernel buffers for a client that does not read


@dataclass
class Stage:
    """A server whose handler is the test's, and its clock."""

    port: int
    clock: Clock
    connections: Connections
    manager: web.Server
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self, data: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=4096)
        self.writers.append(writer)
        writer.write(data)
        await self.until(lambda: len(self.ours()) >= len(self.writers))
        return reader, writer

    def ours(self) -> list[ClientConnection]:
        return [each for each in self.manager.connections if isinstance(each, ClientConnection)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():  # noqa: ASYNC110 -- aiohttp's connections tell nobody of their state
                await asyncio.sleep(0.001)

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.connections.sweep()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return all that comes until the server closes."""
    try:
        return await asyncio.wait_for(reader.read(), WAIT_S)
    except ConnectionResetError:
        return b"reset"


@asynccontextmanager
async def stage(
    handler: Callable[[web.BaseRequest], "asyncio.Future[web.StreamResponse]"] | None = None,
) -> AsyncGenerator[Stage]:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        connection = connection_of(request)
        assert connection is not None
        connection.begin_request()
        response = web.Response(text="ok") if handler is None else await handler(request)
        connection.end_request()
        return response

    clock = Clock()
    manager = web.Server(answer)
    made = Connections(manager, lambda: LIMITS, clock=clock, keepalive_timeout=86_400.0)
    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
    server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, module.SEND_BUFFER_BYTES)
    try:
        here = Stage(server.sockets[0].getsockname()[1], clock, made, manager)
        yield here
        for writer in here.writers:
            writer.close()
    finally:
        server.close()
        await manager.shutdown(0.1)


async def test_unfinished_headers_end_with_408() -> None:
    """Ten seconds after their first byte, however many bytes have come since."""
    async with stage() as on:
        reader, writer = await on.connect(b"GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ")
        await on.until(lambda: on.ours()[0]._phase is module._Phase.HEADERS)
        for _ in range(3):
            on.pass_time(3)
            writer.write(b"X")
            await asyncio.sleep(0.02)  # it is read by then: closing with unread bytes would reset the connection
        assert not reader.at_eof()
        on.pass_time(2)
        assert (await ended(reader)).startswith(b"HTTP/1.1 408 ")


async def test_an_idle_connection_is_closed() -> None:
    """Before its first request and after its last one; the time between two of them is the keep-alive timeout."""
    async with stage() as on:
        silent, _ = await on.connect()
        used, writer = await on.connect(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"200" in await asyncio.wait_for(used.readuntil(b"ok"), WAIT_S)
        on.pass_time(74)
        assert len(on.ours()) == 2
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await asyncio.wait_for(used.readuntil(b"ok"), WAIT_S)
        on.pass_time(2)
        assert await ended(silent) == b""
        on.pass_time(74)
        assert await ended(used) == b""


async def test_a_request_that_runs_is_not_closed() -> None:
    """The handler has deadlines of its own: a long answer is no idle connection."""
    gate = asyncio.Event()

    async def wait(_: web.BaseRequest) -> web.StreamResponse:
        await gate.wait()
        return web.Response(text="late")

    async with stage(wait) as on:  # type: ignore[arg-type]  # a coroutine function, as aiohttp's handlers are
        reader, _ = await on.connect(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        await on.until(lambda: bool(on.ours()) and on.ours()[0]._phase is module._Phase.RUNNING)
        on.pass_time(10_000)
        gate.set()
        assert (await ended(reader)).endswith(b"late")


async def test_an_unread_reply_is_cut_off() -> None:
    """After `write_timeout_s` in which the client has taken nothing, its connection is closed and its memory freed."""

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=LARGE)

    async with stage(answer) as on:  # type: ignore[arg-type]  # as above
        await on.connect(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await on.until(lambda: bool(on.ours()) and bool(on.ours()[0].writing_paused))
        await asyncio.sleep(0.05)  # the kernel's buffers are full by now
        on.pass_time(1)
        on.pass_time(29)
        assert len(on.ours()) == 1
        on.pass_time(2)
        await on.until(lambda: not on.ours())


async def test_after_the_deadline_an_unread_reply_is_cut_off_soon() -> None:
    """A request that nobody waits for any more holds its connection no longer than a moment."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        connection = connection_of(request)
        assert connection is not None
        connection.set_deadline(connection._clock() + 5)
        return web.Response(body=LARGE)

    async with stage(answer) as on:  # type: ignore[arg-type]  # as above
        await on.connect(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await on.until(lambda: bool(on.ours()) and bool(on.ours()[0].writing_paused))
        await asyncio.sleep(0.05)
        on.pass_time(1)
        on.pass_time(3.5)
        assert len(on.ours()) == 1
        on.pass_time(1)
        await on.until(lambda: not on.ours())


async def test_a_slow_reader_of_a_whole_reply_has_time_by_its_size() -> None:
    """A client that takes a little each time is served, but not for hours."""

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=LARGE)

    async with stage(answer) as on:  # type: ignore[arg-type]  # as above
        reader, _ = await on.connect(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await on.until(lambda: bool(on.ours()) and bool(on.ours()[0].writing_paused))
        for _ in range(5):
            await reader.readexactly(1 << 20)
            on.pass_time(29)
        assert len(on.ours()) == 1
        for _ in range(200):
            if not on.ours():
                break
            await reader.readexactly(1 << 16)
            on.pass_time(29)
            await asyncio.sleep(0)
        assert not on.ours()


MALFORMED = {
    "a stray CR": f"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {SECRET}\r\r\nX: y\r\n\r\n",
    "a NUL": f"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {SECRET}\x00\r\n\r\n",
    "bare line feeds": f"POST / HTTP/1.1\nHost: h\nAuthorization: {SECRET}\nContent-Length: 3\n\nabc",
    "an unknown version": f"GET /{SECRET} HTTP/9.9\r\n\r\n",
    "a header without colon": f"GET / HTTP/1.1\r\nHost: h\r\n{SECRET}\r\n\r\n",
    "a space in a header's name": f"GET / HTTP/1.1\r\nHost: h\r\n{SECRET} x: y\r\n\r\n",
    "a length that is none": f"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {SECRET}\r\n\r\n",
    "two lengths": f"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\nX: {SECRET}\r\n\r\nabc",
    "a huge header": f"GET / HTTP/1.1\r\nHost: h\r\nX: {SECRET}{'x' * 20_000}\r\n\r\n",
    "a huge path": f"GET /{SECRET}{'x' * 20_000} HTTP/1.1\r\nHost: h\r\n\r\n",
    "an odd method": f"{SECRET.upper()}\x01 / HTTP/1.1\r\nHost: h\r\n\r\n",
    "TLS": f"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03{SECRET}\r\n\r\n",
    "an odd port": f"GET http://h:{SECRET}/ HTTP/1.1\r\nHost: h\r\n\r\n",
}
BAD_BODIES = {
    "a chunk size that is none": f"{SECRET}\r\nabc\r\n0\r\n\r\n",
    "a chunk that is too long": f"3\r\n{SECRET}\r\n0\r\n\r\n",
    "a trailer without colon": f"0\r\n{SECRET}\r\n\r\n",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
async def test_malformed_http_leaves_none_of_its_bytes(
    upstream: FakeUpstream, data: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the log, of whichever logger, nor in the reply, which is an error in OpenAI's shape."""
    caplog.set_level(logging.DEBUG)
    with capture_logs() as log:
        async with running(settings([model("a", upstream)])) as gateway:
            reply = await _send(gateway, data.encode("latin-1"))
    assert SECRET.lower() not in reply.decode("latin-1").lower()
    shown = repr(log) + caplog.text
    assert SECRET.lower() not in shown.lower()
    if reply:
        status, body = reply.split(b" ", 2)[1], reply.partition(b"\r\n\r\n")[2]
        assert status in (b"400", b"404", b"431")
        assert json.loads(body)["error"]["code"] in ("malformed_http", "not_found")


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_malformed_body_leaves_none_of_its_bytes(
    upstream: FakeUpstream, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Chunks are parsed while the request runs, and their faults are reported on another way."""
    caplog.set_level(logging.DEBUG)
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    for data in ((head + body,), (head, body)):
        with capture_logs() as log:
            async with running(settings([model("a", upstream)])) as gateway:
                reply = await _send(gateway, *(part.encode("latin-1") for part in data))
        assert SECRET not in reply.decode("latin-1") + repr(log) + caplog.text


async def _send(gateway: Gateway, *parts: bytes) -> bytes:
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), WAIT_S)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_malformed_requests_are_summed_up(upstream: FakeUpstream) -> None:
    """A hundred of one kind are one line, whose count follows later."""
    with capture_logs() as log:
        async with running(settings([model("a", upstream)])) as gateway:
            for _ in range(100):
                await _send(gateway, b"GET / HTTP/9.9\r\n\r\n")
    lines = [line for line in log if line["event"] == "malformed HTTP request"]
    assert [(line["kind"], line["status"], line["count"]) for line in lines] == [("BadStatusLine", 400, 1)]


async def test_an_unknown_aiohttp_still_serves(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the protocol cannot be constructed, connections are aiohttp's own, and the log says so."""

    def fail(*_: object, **__: object) -> None:
        raise TypeError("unexpected keyword argument")

    monkeypatch.setattr(module, "ClientConnection", type("Other", (), {"__init__": fail, "__new__": fail}))
    with capture_logs() as log:
        async with running(settings([model("a", upstream)])) as gateway:
            assert (await gateway.chat()).status == 200
    assert any("clients have no deadlines" in line["event"] for line in log)
