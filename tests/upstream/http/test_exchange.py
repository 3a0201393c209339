"""The contract of both HTTP exchanges, over real sockets: requests, replies and connections."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp.http import HttpProcessingError
from yarl import URL

from tests.fakes import Ending, FakeUpstream, drop_before, hang, raw, reply, status, unanswering
from tests.fakes.certificates import certified
from tests.fakes.wire import Step
from upstream.http.exchange import Exchange, Reply, Target
from upstream.http.exchange_choice import EXCHANGES

BODY = (b'{"model":', b'"m"}')
LARGE = b"x" * (16 << 20)  # more than the system takes from a sender whose receiver does not read


@pytest.fixture(params=sorted(EXCHANGES))
async def exchange(request: pytest.FixtureRequest) -> AsyncGenerator[Exchange]:
    """Each exchange in turn."""
    made = EXCHANGES[request.param]()
    yield made
    await made.close()


def target(exchange: Exchange, base_url: str) -> Target:
    return exchange.target(URL(f"{base_url}/chat/completions"), {"Content-Type": "application/json"})


async def send(exchange: Exchange, fake: FakeUpstream, body: tuple[bytes, ...] = BODY) -> Reply:
    return await exchange.post(target(exchange, fake.base_url), lambda: body, None)


class Deaf(asyncio.Protocol):
    """The server's side of a connection: it reads one piece, and then nothing until `read_rest`."""

    def __init__(self, met: "asyncio.Queue[Deaf]") -> None:
        self._met = met
        self._ended = asyncio.Event()
        self.n_read = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self.n_read:
            self.transport.pause_reading()
            self._met.put_nowait(self)
        self.n_read += len(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._ended.set()

    async def read_rest(self) -> int:
        """Read until the other side is gone, and return how many bytes came in all."""
        self.transport.resume_reading()
        async with asyncio.timeout(30):
            await self._ended.wait()
        return self.n_read


@asynccontextmanager
async def deaf(tls: ssl.SSLContext | None = None) -> AsyncGenerator[tuple[str, "asyncio.Queue[Deaf]"]]:
    """Yield the base URL of a server that hardly reads, and its connections as soon as something has arrived."""
    met: asyncio.Queue[Deaf] = asyncio.Queue()
    server = await asyncio.get_running_loop().create_server(lambda: Deaf(met), "127.0.0.1", 0, ssl=tls)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield f"{'http' if tls is None else 'https'}://{host}:{port}/v1", met


@pytest.fixture(params=[(name, scheme) for name in sorted(EXCHANGES) for scheme in ("http", "https")])
async def unheard(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncGenerator[tuple[Exchange, str, "asyncio.Queue[Deaf]"]]:
    """Return an exchange, and the URL and connections of a deaf server that it trusts; each with TLS and without."""
    name, scheme = request.param
    tls, trusted = certified(tmp_path) if scheme == "https" else (None, None)
    exchange = EXCHANGES[name](ssl.create_default_context(cafile=trusted) if trusted else None)
    async with deaf(tls) as (base_url, met):
        yield exchange, base_url, met
        await exchange.close()


async def test_a_reply_that_was_read_leaves_its_connection_to_the_next_request(exchange: Exchange) -> None:
    """Keep-alive, also after an error."""
    async with FakeUpstream() as fake:
        fake.script("m", reply(b"one"), status(500, body=b"two"), reply(b"three"))
        for content in (b"one", b"two", b"three"):
            with await send(exchange, fake) as got:
                assert await got.content.read() == content
        assert fake.connections == 1


async def test_a_reply_that_was_not_read_closes_its_connection(exchange: Exchange) -> None:
    """The next request must not read the rest of it."""
    async with FakeUpstream() as fake:
        fake.default = reply(LARGE)
        for _ in range(2):
            with await send(exchange, fake) as got:
                assert await got.content.read(1) == b"x"
        await fake.wait_connections(0)
        assert fake.connections == 2


async def test_informational_replies_are_skipped(exchange: Exchange) -> None:
    """RFC 9110, section 15.2: any number of them may come first."""
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with FakeUpstream() as fake:
        fake.default = raw(early, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        with await send(exchange, fake) as got:
            assert (got.status, await got.content.read()) == (200, b"{}")


@pytest.mark.parametrize("n_bytes", [1 << 20, len(LARGE)])
async def test_a_refusal_is_read_while_the_request_is_still_going_out(
    unheard: tuple[Exchange, str, "asyncio.Queue[Deaf]"], n_bytes: int
) -> None:
    """A server may say that a body is too large without reading it; the connection is closed then."""
    exchange, base_url, met = unheard
    asking = asyncio.create_task(exchange.post(target(exchange, base_url), lambda: (LARGE[:n_bytes],), None))
    server = await met.get()
    server.transport.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
    with await asking as got:
        assert (got.status, await got.content.read()) == (413, b"")
    await server.read_rest()


async def test_a_cancelled_request_is_not_sent_on(
    unheard: tuple[Exchange, str, "asyncio.Queue[Deaf]"],
) -> None:
    """A server that does not read would otherwise keep the rest of the body, and the connection, for ever."""
    exchange, base_url, met = unheard
    asking = asyncio.create_task(exchange.post(target(exchange, base_url), lambda: (LARGE,), None))
    server = await met.get()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await server.read_rest() < len(LARGE)


@pytest.mark.parametrize("n_bytes", [1 << 10, 1 << 20])
async def test_a_refused_small_request_leaves_its_connection(exchange: Exchange, n_bytes: int) -> None:
    """That of a large one is closed, because the rest of the request may still be on its way."""
    async with FakeUpstream() as fake:
        fake.default = status(429)
        for _ in range(2):
            with await send(exchange, fake, (b'{"x":"', LARGE[:n_bytes], b'"}')) as got:
                await got.content.read()
        assert fake.connections == (1 if n_bytes < 64 << 10 else 2)


@pytest.mark.parametrize("name", ["x", "x\r\ny"])
async def test_a_header_cannot_contain_another_header(exchange: Exchange, name: str) -> None:
    """Configured headers are checked when they are read; those made in the code are checked here."""
    with pytest.raises(ValueError, match="control character"):
        exchange.target(URL("http://127.0.0.1/v1"), {name: "a\r\nAuthorization: Bearer theirs"})


async def test_a_cancelled_wait_closes_the_connection(exchange: Exchange) -> None:
    """So that the upstream notices, and stops working."""
    async with FakeUpstream() as fake:
        fake.default = hang()
        asking = asyncio.create_task(send(exchange, fake))
        (request,) = await fake.wait_for(1)
        asking.cancel()
        async with asyncio.timeout(30):
            await request.disconnected.wait()


@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_that_ends_without_a_reply_raises(exchange: Exchange, *, reset: bool) -> None:
    """Aiohttp's own exception, whether it was closed or reset."""
    async with FakeUpstream() as fake:
        fake.default = drop_before(reset=reset)
        with pytest.raises(aiohttp.ClientOSError if reset else aiohttp.ServerDisconnectedError):
            await send(exchange, fake)


async def test_a_reply_that_is_not_http_raises(exchange: Exchange) -> None:
    """The exception of aiohttp's parser."""
    async with FakeUpstream() as fake:
        fake.default = raw(b"SSH-2.0-OpenSSH_9.2\r\n", ending=Ending.HOLD)
        with pytest.raises((HttpProcessingError, aiohttp.ClientResponseError)):
            await send(exchange, fake)


async def test_connecting_has_its_own_time_out(exchange: Exchange) -> None:
    """The only timeout that aiohttp enforces for us."""
    with unanswering() as base_url, pytest.raises(aiohttp.ConnectionTimeoutError):
        await exchange.post(target(exchange, base_url), lambda: BODY, 0.01)


async def test_a_closed_exchange_refuses_requests(exchange: Exchange) -> None:
    """A call that outlives its configuration fails with a reason."""
    await exchange.close()
    async with FakeUpstream() as fake:
        with pytest.raises(aiohttp.ClientConnectionError, match="closed"):
            await send(exchange, fake)
        assert fake.connections == 0


async def warm(exchange: Exchange, fake: FakeUpstream) -> None:
    """Leave one connection in the pool."""
    fake.default = reply(b"warm")
    with await send(exchange, fake) as got:
        assert await got.content.read() == b"warm"


@pytest.mark.parametrize("reset", [False, True])
async def test_a_stale_connection_is_replaced_once_at_once(exchange: Exchange, *, reset: bool) -> None:
    """A kept-alive connection that ends before a byte of a reply is a race that keep-alive has, not a fault."""
    async with FakeUpstream() as fake:
        await warm(exchange, fake)
        fake.script("m", drop_before(reset=reset), reply(b"answer"))
        with await send(exchange, fake) as got:
            assert await got.content.read() == b"answer"
        assert len(fake.requests) == 3
        assert fake.requests[0].port == fake.requests[1].port != fake.requests[2].port
        assert [request.raw for request in fake.requests] == [b"".join(BODY)] * 3


async def test_the_replacement_of_a_stale_connection_is_new(exchange: Exchange) -> None:
    """Other kept-alive connections are probably just as old."""
    async with FakeUpstream() as fake:
        fake.default = reply(b"warm")
        replies = [await send(exchange, fake) for _ in range(3)]
        for got in replies:
            with got:
                await got.content.read()
        ports = {request.port for request in fake.requests}
        fake.script("m", drop_before(), reply(b"answer"))
        with await send(exchange, fake) as got:
            assert await got.content.read() == b"answer"
        assert fake.requests[-1].port not in ports


async def test_a_time_out_of_an_idle_connection_is_not_the_reply(exchange: Exchange) -> None:
    """Some servers announce with 408 that they close a kept-alive connection; on a new one it is a reply."""
    step = raw(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    async with FakeUpstream() as fake:
        await warm(exchange, fake)
        fake.script("m", step, reply(b"answer"))
        with await send(exchange, fake) as got:
            assert (got.status, await got.content.read()) == (200, b"answer")
    async with FakeUpstream(step) as fake:
        with await send(exchange, fake) as got:
            assert got.status == 408
        assert len(fake.requests) == 1


async def test_a_request_is_sent_at_most_twice(exchange: Exchange) -> None:
    """An upstream that drops new connections as well has a fault."""
    async with FakeUpstream() as fake:
        await warm(exchange, fake)
        fake.default = drop_before()
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await send(exchange, fake)
        assert len(fake.requests) == 3


@pytest.mark.parametrize(
    "step",
    [
        raw(b"HTTP/1.1 200 OK\r\nContent-"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbroken"),
        raw(b"nonsense\r\n\r\n", ending=Ending.HOLD),
    ],
)
async def test_a_reply_that_has_begun_is_never_asked_for_again(exchange: Exchange, step: Step) -> None:
    """The upstream was at work, and may charge for it."""
    async with FakeUpstream() as fake:
        await warm(exchange, fake)
        fake.default = step
        with pytest.raises((aiohttp.ClientError, HttpProcessingError)), await send(exchange, fake) as got:
            await got.content.read()
        assert len(fake.requests) == 2


async def test_a_long_header_of_a_reply_is_read(exchange: Exchange) -> None:
    """Up to 64 KiB: providers behind several proxies send more than aiohttp reads by default."""
    async with FakeUpstream() as fake:
        fake.default = raw(b"HTTP/1.1 200 OK\r\nX-Trace: ", b"x" * 60_000, b"\r\nContent-Length: 2\r\n\r\n{}")
        with await send(exchange, fake) as got:
            assert (len(got.headers["X-Trace"]), await got.content.read()) == (60_000, b"{}")


async def test_redirects_are_returned_not_followed(exchange: Exchange) -> None:
    """A key must not go to another host."""
    async with FakeUpstream() as fake:
        fake.default = raw(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /v1/x\r\nContent-Length: 0\r\n\r\n")
        with await send(exchange, fake) as got:
            assert got.status == 307
        assert len(fake.requests) == 1
