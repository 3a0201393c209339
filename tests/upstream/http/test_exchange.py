"""One exchange over real sockets: what goes out, what comes back, and what becomes of the connection."""

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
from upstream.http.exchange import Connections, Reply, Target, post

NO_LIMIT = aiohttp.ClientTimeout(total=None)
BODY = (b'{"model":', b'"m"}')
LARGE = b"x" * (16 << 20)  # more than the system takes from a sender whose receiver does not read


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def target(base_url: str) -> Target:
    return Target(URL(f"{base_url}/chat/completions"), {"Content-Type": "application/json"})


async def posted(session: aiohttp.ClientSession, fake: FakeUpstream) -> Reply:
    return await post(session, target(fake.base_url), BODY, NO_LIMIT)


class Deaf(asyncio.Protocol):
    """A server's side of a connection, which reads a first piece and then nothing until it `hears_out`."""

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

    async def hears_out(self) -> int:
        """Return how many bytes there are to read until the other side is gone."""
        self.transport.resume_reading()
        async with asyncio.timeout(30):
            await self._ended.wait()
        return self.n_read


@asynccontextmanager
async def deaf(tls: ssl.SSLContext | None = None) -> AsyncGenerator[tuple[str, "asyncio.Queue[Deaf]"]]:
    """Give the base URL of a server that reads hardly anything, and its connections once something has come."""
    met: asyncio.Queue[Deaf] = asyncio.Queue()
    server = await asyncio.get_running_loop().create_server(lambda: Deaf(met), "127.0.0.1", 0, ssl=tls)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield f"{'http' if tls is None else 'https'}://{host}:{port}/v1", met


@pytest.fixture(params=["plain", "tls"])
async def unheard(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncGenerator[tuple[aiohttp.ClientSession, str, "asyncio.Queue[Deaf]"]]:
    """Give a deaf server's URL and connections, and a session that trusts it; without TLS and with it."""
    tls, trusted = certified(tmp_path) if request.param == "tls" else (None, None)
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=trusted)) if trusted else None
    async with deaf(tls) as (base_url, met), aiohttp.ClientSession(connector=connector) as session:
        yield session, base_url, met


async def test_the_request_is_whole_and_like_aiohttp_s(session: aiohttp.ClientSession) -> None:
    """To the byte, but for the headers that aiohttp orders otherwise: an upstream can't tell them apart."""
    async with FakeUpstream() as fake:
        with await posted(session, fake):
            pass
        headers = {"Content-Type": "application/json"}
        async with session.post(f"{fake.base_url}/chat/completions", data=b"".join(BODY), headers=headers):
            pass
        ours, theirs = fake.requests
    assert ours.raw == theirs.raw == b"".join(BODY)
    assert sorted(ours.headers.items()) == sorted(theirs.headers.items())


async def test_what_was_read_to_its_end_leaves_its_connection_to_the_next(session: aiohttp.ClientSession) -> None:
    """Keep-alive, also behind a refusal."""
    async with FakeUpstream() as fake:
        fake.script("m", reply(b"one"), status(500, body=b"two"), reply(b"three"))
        for content in (b"one", b"two", b"three"):
            with await posted(session, fake) as got:
                assert await got.content.read() == content
        assert fake.connections == 1


async def test_the_connection_that_was_used_last_goes_on() -> None:
    """So that those which a crowd has left can end, rather than be kept alive in turn."""
    async with FakeUpstream() as fake, aiohttp.ClientSession(connector=Connections()) as session:
        replies = [await posted(session, fake) for _ in range(3)]
        for got in replies:
            with got:
                await got.content.read()
        for _ in range(3):
            with await posted(session, fake) as got:
                await got.content.read()
        first, *_, last = [request.port for request in fake.requests[:3]]
        assert [request.port for request in fake.requests[3:]] == [last] * 3 != [first] * 3


async def test_what_was_not_read_to_its_end_closes_it(session: aiohttp.ClientSession) -> None:
    """The next request must not find the rest of it."""
    async with FakeUpstream() as fake:
        fake.default = reply(LARGE)
        for _ in range(2):
            with await posted(session, fake) as got:
                assert await got.content.read(1) == b"x"
        await fake.wait_connections(0)
        assert fake.connections == 2


@pytest.mark.parametrize(
    ("stated", "content_type"),
    [("application/json; charset=utf-8", "application/json"), ("Text/Event-Stream", "text/event-stream"), ("", "")],
)
async def test_the_type_of_the_body_is_bare(session: aiohttp.ClientSession, stated: str, content_type: str) -> None:
    """Neither parameters nor capitals matter."""
    async with FakeUpstream() as fake:
        fake.default = reply(b"{}", content_type=stated)
        with await posted(session, fake) as got:
            assert (got.status, got.content_type) == (200, content_type)


async def test_informational_replies_are_not_the_reply(session: aiohttp.ClientSession) -> None:
    """RFC 9110, section 15.2: any number of them may come first."""
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with FakeUpstream() as fake:
        fake.default = raw(early, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        with await posted(session, fake) as got:
            assert (got.status, await got.content.read()) == (200, b"{}")


@pytest.mark.parametrize("n_bytes", [1 << 20, len(LARGE)])
async def test_a_refusal_is_read_while_the_request_is_still_going_out(
    unheard: tuple[aiohttp.ClientSession, str, "asyncio.Queue[Deaf]"], n_bytes: int
) -> None:
    """A server may say that a body is too large without reading it; the connection is of no more use then."""
    session, base_url, met = unheard
    asking = asyncio.create_task(post(session, target(base_url), (LARGE[:n_bytes],), NO_LIMIT))
    server = await met.get()
    server.transport.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
    with await asking as got:
        assert (got.status, await got.content.read()) == (413, b"")
    await server.hears_out()


async def test_who_gives_up_leaves_nothing_to_be_sent_on(
    unheard: tuple[aiohttp.ClientSession, str, "asyncio.Queue[Deaf]"],
) -> None:
    """A server that does not read would keep the rest of the body, and the connection, for ever."""
    session, base_url, met = unheard
    asking = asyncio.create_task(post(session, target(base_url), (LARGE,), NO_LIMIT))
    server = await met.get()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await server.hears_out() < len(LARGE)


@pytest.mark.parametrize("n_bytes", [1 << 10, 1 << 20])
async def test_who_refuses_a_small_request_has_read_it(session: aiohttp.ClientSession, n_bytes: int) -> None:
    """Its connection is kept; a large one's is not, for the rest of it may still be on its way."""
    async with FakeUpstream() as fake:
        fake.default = status(429)
        for _ in range(2):
            with await post(session, target(fake.base_url), (b'{"x":"', LARGE[:n_bytes], b'"}'), NO_LIMIT) as got:
                await got.content.read()
        assert fake.connections == (1 if n_bytes < 64 << 10 else 2)


@pytest.mark.parametrize("name", ["x", "x\r\ny"])
async def test_no_header_makes_another_one(name: str) -> None:
    """What is configured is checked when it is read; an endpoint that is made in the code is checked here."""
    with pytest.raises(ValueError, match="control character"):
        Target(URL("http://127.0.0.1/v1"), {name: "a\r\nAuthorization: Bearer theirs"})


async def test_a_cancelled_wait_closes_the_connection(session: aiohttp.ClientSession) -> None:
    """So that the upstream sees it, and works for nobody."""
    async with FakeUpstream() as fake:
        fake.default = hang()
        asking = asyncio.create_task(posted(session, fake))
        (request,) = await fake.wait_for(1)
        asking.cancel()
        async with asyncio.timeout(30):
            await request.disconnected.wait()


@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_that_ends_without_a_reply(session: aiohttp.ClientSession, *, reset: bool) -> None:
    """Closed or reset, it is aiohttp's own exception."""
    async with FakeUpstream() as fake:
        fake.default = drop_before(reset=reset)
        with pytest.raises(aiohttp.ClientOSError if reset else aiohttp.ServerDisconnectedError):
            await posted(session, fake)


async def test_what_is_not_http(session: aiohttp.ClientSession) -> None:
    """The parser's exception."""
    async with FakeUpstream() as fake:
        fake.default = raw(b"SSH-2.0-OpenSSH_9.2\r\n", ending=Ending.HOLD)
        with pytest.raises(HttpProcessingError):
            await posted(session, fake)


async def test_connecting_has_its_own_limit(session: aiohttp.ClientSession) -> None:
    """The one time-out that aiohttp keeps for us."""
    with unanswering() as base_url, pytest.raises(aiohttp.ConnectionTimeoutError):
        await post(session, target(base_url), BODY, aiohttp.ClientTimeout(total=None, connect=0.01))


async def test_a_closed_session_connects_to_nobody() -> None:
    """Calls that outlive a configuration fail, and say so."""
    async with aiohttp.ClientSession() as session:
        pass
    async with FakeUpstream() as fake:
        with pytest.raises(aiohttp.ClientConnectionError, match="closed"):
            await posted(session, fake)
        assert fake.connections == 0
