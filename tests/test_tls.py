"""Hosted models are reached by TLS: over real sockets, with a certificate of the test's own."""

import ssl
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from yarl import URL

from tests.fakes import FakeUpstream, answer, reply
from tests.fakes.certificates import certified
from tests.processes import served
from tests.running import ask, model, running, settings
from upstream.http.exchange_choice import EXCHANGES

CONFIG = """
models:
  - {{name: a, base_url: "{url}", api_key: "${{FAKE_API_KEY}}"}}
  - {{name: b, base_url: "{url}", api_key: "${{FAKE_API_KEY}}"}}
"""
LARGE = b"x" * (8 << 20)
BODY = (b'{"text":"', LARGE, b'"}')


async def test_a_panel_answers_by_way_of_tls(tmp_path: Path) -> None:
    """The system's trust is asked, here as SSL_CERT_FILE gives it: whole, as a stream, and over kept connections."""
    context, trusted = certified(tmp_path)
    async with FakeUpstream(answer("by TLS"), tls=context) as upstream:
        config = tmp_path / "config.yaml"
        config.write_text(CONFIG.format(url=upstream.base_url))
        async with served(config, env={"SSL_CERT_FILE": str(trusted)}) as (_, gateway):
            assert (await gateway.chat()).text == "by TLS"
            assert (await gateway.chat(ask(stream=True))).streamed() == "by TLS"
            assert (await gateway.chat(ask(model="b"))).text == "by TLS"
        assert (len(upstream.requests), upstream.connections) == (5, 2)


async def test_an_untrusted_certificate_is_refused(tmp_path: Path) -> None:
    """Before a key or a word goes out; and the error says what is wrong."""
    context, _ = certified(tmp_path)
    async with FakeUpstream(tls=context) as upstream:
        async with running(settings([model("a", upstream, retries=0)])) as gateway:
            refused = await gateway.chat()
        assert upstream.requests == []
    assert refused.status == 502
    assert "the TLS handshake failed" in refused.error["message"]
    assert "self-signed certificate" in refused.error["message"]


@pytest.mark.parametrize("name", sorted(EXCHANGES))
async def test_large_bodies_arrive_whole_by_either_exchange(tmp_path: Path, name: str) -> None:
    """In both directions, and larger than a TLS record or a socket buffer."""
    context, trusted = certified(tmp_path)
    exchange = EXCHANGES[name](ssl.create_default_context(cafile=str(trusted)))
    async with FakeUpstream(reply(LARGE), tls=context) as upstream, AsyncExitStack() as stack:
        stack.push_async_callback(exchange.close)
        target = exchange.target(URL(f"{upstream.base_url}/chat/completions"), {})
        for _ in range(2):
            with await exchange.post(target, lambda: BODY, None) as got:
                assert await got.content.read() == LARGE
        assert [request.raw for request in upstream.requests] == [b"".join(BODY)] * 2
