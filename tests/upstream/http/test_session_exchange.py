"""The differences of the exchange on aiohttp's public API."""

from yarl import URL

from tests.fakes import FakeUpstream, reply
from upstream.http.session_exchange import SessionExchange


async def test_a_large_request_has_a_connection_of_its_own() -> None:
    """The public API does not tell whether such a request was sent completely when its reply arrives."""
    exchange = SessionExchange()
    async with FakeUpstream(reply(b"{}")) as fake:
        target = exchange.target(URL(f"{fake.base_url}/chat/completions"), {})
        for n_bytes in (10, 10, 100_000, 100_000):
            with await exchange.post(target, lambda n=n_bytes: (b'{"model":"m","x":"%b"}' % (b"x" * n),), None) as got:  # type: ignore[misc]
                assert await got.content.read() == b"{}"
        assert [len(request.body["x"]) for request in fake.requests] == [10, 10, 100_000, 100_000]
        assert fake.connections == 3
    await exchange.close()


async def test_connecting_ahead_does_nothing() -> None:
    """It is a hint, and aiohttp has no public way to follow it."""
    exchange = SessionExchange()
    async with FakeUpstream() as fake:
        await exchange.connect(exchange.target(URL(f"{fake.base_url}/chat/completions"), {}), 5.0)
        assert fake.connections == 0
    await exchange.close()
