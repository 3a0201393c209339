"""Behaviour of the direct exchange beyond the contract of both."""

import aiohttp
from yarl import URL

from tests.fakes import FakeUpstream
from upstream.http.direct_exchange import DirectExchange

HEADERS = {"Content-Type": "application/json"}
BODY = (b'{"model":', b'"m"}')


async def test_the_request_equals_aiohttp_s() -> None:
    """Byte for byte, except the order of the headers: an upstream cannot tell them apart."""
    exchange = DirectExchange()
    async with FakeUpstream() as fake:
        url = URL(f"{fake.base_url}/chat/completions")
        with await exchange.post(exchange.target(url, HEADERS), lambda: BODY, None):
            pass
        async with aiohttp.ClientSession() as session, session.post(url, data=b"".join(BODY), headers=HEADERS):
            pass
        ours, theirs = fake.requests
    await exchange.close()
    assert ours.raw == theirs.raw == b"".join(BODY)
    assert sorted(ours.headers.items()) == sorted(theirs.headers.items())


async def test_connecting_ahead_sends_no_request() -> None:
    """The next request finds the connection, and another attempt to connect ahead as well."""
    exchange = DirectExchange()
    async with FakeUpstream() as fake:
        target = exchange.target(URL(f"{fake.base_url}/chat/completions"), HEADERS)
        await exchange.connect(target, 5.0)
        await exchange.connect(target, 5.0)
        await fake.wait_accepted(1)
        assert fake.requests == []
        with await exchange.post(target, lambda: BODY, None) as got:
            await got.content.read()
        assert fake.connections == 1
    await exchange.close()
