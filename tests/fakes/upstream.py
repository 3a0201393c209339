"""A scripted OpenAI-compatible upstream over real sockets, the basis of the gateway's tests."""

import asyncio
import json
import socket
import ssl
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDictProxy

from tests.fakes.completions import CREATED, error_body
from tests.fakes.steps import answer, status
from tests.fakes.wire import Ending, Step, Wait, Wire

_NO_LINGER = struct.pack("ii", 1, 0)  # close() then sends RST, socket(7)


@dataclass(eq=False, slots=True)
class Recorded:
    """One request that arrived whole, and how its reply ended.

    `finished` is set when the fake has nothing more to do for it, whichever way it ended; `disconnected` before
    that, when the client closed the connection while the reply was not complete. `body` is {} where `raw` holds
    no JSON object. `port` is the client's, by which its connections are told apart.
    """

    sequence: int
    model: str
    body: dict[str, Any]
    raw: bytes
    headers: CIMultiDictProxy[str]
    port: int
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)


class FakeUpstream:
    """Serves `POST /v1/chat/completions` from scripts and `GET /v1/models` on 127.0.0.1, at a port of its own.

    An async context manager: `async with FakeUpstream() as upstream`. Leaving it closes every connection, waits
    until they are gone, and raises what a step raised, so that a broken script can not pass for a fault.
    All of it belongs to the event loop that it was entered in.
    """

    def __init__(self, default: Step | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.default = default or answer()
        self._tls = tls
        self.listing: Any = None  # the reply to `GET /v1/models`; None is a list of what has a script
        self.base_url = ""
        self.requests: list[Recorded] = []
        self.in_flight = 0
        self.max_in_flight = 0
        self._scripts: dict[str, deque[Step]] = {}
        self._changed = _Pulse()
        self._released = _Pulse()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._broken: list[Exception] = []
        self._closing = False

    async def __aenter__(self) -> Self:
        self._connections = _Connections(self._handle)
        self._listener = await asyncio.get_running_loop().create_server(
            self._connections, "127.0.0.1", 0, ssl=self._tls
        )
        host, port = self._listener.sockets[0].getsockname()
        self.base_url = f"{'http' if self._tls is None else 'https'}://{host}:{port}/v1"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing = True
        self._listener.close()
        self._connections.pre_shutdown()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._connections.abort()
        await self._listener.wait_closed()
        if self._broken and error is None:
            raise ExceptionGroup("scripted steps failed", self._broken)

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted so far."""
        return self._connections.accepted

    @property
    def open_connections(self) -> int:
        """How many of them are open now."""
        return len(self._connections.open)

    def script(self, model: str, *steps: Step) -> None:
        """Answer the requests for `model` with these steps, one each in turn; the last one repeats."""
        if not steps:
            raise ValueError("a script has at least one step")
        self._scripts[model] = deque(steps)

    def requests_for(self, model: str) -> list[Recorded]:
        """Return the requests for `model`, in the order in which they arrived."""
        return [request for request in self.requests if request.model == model]

    def release(self) -> None:
        """End every reply that hangs at this moment: its connection is closed."""
        self._released.beat()

    async def wait_for(self, n_requests: int, *, timeout_s: float = 30.0) -> list[Recorded]:
        """Wait until this many requests have arrived, and return all. Raises TimeoutError rather than hang."""
        await self._until(lambda: len(self.requests) >= n_requests, timeout_s)
        return self.requests

    async def wait_idle(self, *, timeout_s: float = 30.0) -> None:
        """Wait until no reply is under way. Raises TimeoutError rather than hang."""
        await self._until(lambda: self.in_flight == 0, timeout_s)

    async def wait_connections(self, n_open: int, *, timeout_s: float = 30.0) -> None:
        """Wait until at most this many connections are open. Raises TimeoutError rather than hang."""
        async with asyncio.timeout(timeout_s):
            await self._connections.wait(n_open)

    async def wait_accepted(self, n_accepted: int, *, timeout_s: float = 30.0) -> None:
        """Wait until this many connections were accepted. Raises TimeoutError rather than hang."""
        async with asyncio.timeout(timeout_s):
            await self._connections.wait_accepted(n_accepted)

    async def _until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                await self._changed.wait()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            match request.method, request.path:
                case "POST", "/v1/chat/completions":
                    return await self._complete(request)
                case "GET", "/v1/models":
                    return web.json_response(self.listing or _list(self._scripts))
            return web.json_response(error_body(f"no {request.path}", kind="not_found"), status=HTTPStatus.NOT_FOUND)
        finally:
            self._tasks.discard(task)

    async def _complete(self, request: web.BaseRequest) -> web.StreamResponse:
        recorded = self._record(request, await request.content.read())
        try:
            return await _play(self._wire(recorded), request, self._released.wait)
        except asyncio.CancelledError:
            if not self._closing:
                recorded.disconnected.set()
            raise
        except ConnectionError:
            recorded.disconnected.set()
            return web.StreamResponse()  # goes nowhere: aiohttp finds the connection closed as well
        except Exception as error:
            self._broken.append(error)
            raise
        finally:
            recorded.finished.set()
            self.in_flight -= 1
            self._changed.beat()

    def _record(self, request: web.BaseRequest, raw: bytes) -> Recorded:
        body = _parsed(raw)
        assert request.transport is not None
        _, port = request.transport.get_extra_info("peername")
        recorded = Recorded(len(self.requests), str(body.get("model", "")), body, raw, request.headers, port)
        self.requests.append(recorded)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        self._changed.beat()
        return recorded

    def _wire(self, recorded: Recorded) -> Wire:
        if not recorded.body:
            return status(400)({})
        steps = self._scripts.get(recorded.model) or deque([self.default])
        step = steps.popleft() if len(steps) > 1 else steps[0]
        return step(recorded.body)


class _Pulse:
    """Wakes the tasks that wait at the moment of the beat, and no later ones."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def beat(self) -> None:
        self._event.set()
        self._event.clear()

    async def wait(self) -> None:
        await self._event.wait()


class _Connections(web.Server):
    """aiohttp's protocol factory, which also counts connections and knows when the last one is gone."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handler, handler_cancellation=True, access_log=None)
        self.accepted = 0
        self.open: dict[RequestHandler, asyncio.Transport] = {}
        self._met = _Pulse()
        self._lost = _Pulse()

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self.accepted += 1
        self.open[handler] = transport
        self._met.beat()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self.open.pop(handler, None)
        self._lost.beat()

    async def wait(self, n_open: int) -> None:
        """Wait until at most so many connections are open."""
        while len(self.open) > n_open:
            await self._lost.wait()

    async def wait_accepted(self, n_accepted: int) -> None:
        """Wait until so many connections were accepted."""
        while self.accepted < n_accepted:
            await self._met.wait()

    async def abort(self) -> None:
        """End every connection at once; also those whose client reads nothing."""
        await self.shutdown(1.0)
        for transport in self.open.values():
            with suppress(AttributeError):  # CPython 3.11 cannot abort TLS that was closed twice; it ends by itself
                transport.abort()
        await self.wait(0)


async def _play(wire: Wire, request: web.BaseRequest, released: Callable[[], Awaitable[None]]) -> web.StreamResponse:
    for wait in wire.before:
        await _pass(wait)
    response = web.StreamResponse()
    write: Callable[[bytes], Awaitable[None]] = request.writer.write
    if wire.head:
        response = web.StreamResponse(status=wire.head.status, headers=wire.head.headers)
        await response.prepare(request)
        write = response.write
    for piece in wire.body:
        if isinstance(piece, bytes):
            await write(piece)
            await asyncio.sleep(0)  # lets the reader read, and a client that leaves be noticed, between two pieces
        else:
            await _pass(piece)
    if wire.ending is Ending.HOLD:
        await released()
    if wire.ending is Ending.COMPLETE:
        await response.write_eof()
    else:
        _hang_up(request, reset=wire.ending is Ending.RESET)
    return response


async def _pass(wait: Wait) -> None:
    if isinstance(wait, asyncio.Event):
        await wait.wait()
    else:
        await asyncio.sleep(wait)


def _hang_up(request: web.BaseRequest, *, reset: bool) -> None:
    transport = request.transport
    if transport is None:
        return
    if reset:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
    else:
        transport.close()


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _list(models: Iterable[str]) -> dict[str, Any]:
    entries = [{"id": model, "object": "model", "created": CREATED, "owned_by": "fake"} for model in models]
    return {"object": "list", "data": entries}
