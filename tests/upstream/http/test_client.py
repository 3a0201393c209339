"""One attempt at one upstream: its request, and the kind of each failure."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import aiohttp
import pytest

from config.settings import Secret
from runtime.time_slice import SLICE_S
from runtime.timers import TimerWheel
from tests.fakes import (
    FakeUpstream,
    gzip_bomb,
    header_bomb,
    oversized,
    raw,
    raw_stream,
    redirect,
    refusing,
    reply,
    status,
    unstreamed,
)
from tests.fakes import answer as fake_answer
from tests.fakes.steps import TEXT
from upstream.calls import Attempt
from upstream.dialects import CHAT
from upstream.errors import CallError, Kind
from upstream.http.client import ChatRequest, Endpoint, Upstream
from upstream.http.direct_exchange import DirectExchange
from upstream.http.timeouts import Timeouts
from upstream.openai.conversation import Conversation

URL = "http://upstream.example/v1"
REQUEST = ChatRequest(Conversation(), {"model": "m"}, (("X-Title", "mom"),))


def upstream_at(base_url: str, **options: Any) -> Upstream:
    async def locate() -> Endpoint:
        return Endpoint(base_url, Secret("k-123", "KEY"))

    return Upstream(locate, clock=lambda: 7.0, timers=TimerWheel(), **options)


@asynccontextmanager
async def client_of(fake: FakeUpstream, **options: Any) -> AsyncGenerator[Upstream]:
    """Run the client of the fake upstream."""
    upstream = upstream_at(fake.base_url, **options)
    try:
        yield upstream
    finally:
        await upstream.close()


async def complete(upstream: Upstream, attempt: Attempt | None = None) -> dict[str, Any]:
    return await upstream.complete(REQUEST, timeouts=Timeouts(5), attempt=attempt or Attempt(0))


async def test_key_and_headers_are_sent_and_the_attempt_is_recorded(upstream: FakeUpstream) -> None:
    """The configured headers are sent beside the key."""
    attempt = Attempt(0)
    async with client_of(upstream) as real:
        completion = await complete(real, attempt)
    (sent,) = upstream.requests
    assert completion["choices"][0]["message"]["content"] == TEXT
    assert (sent.headers["Authorization"], sent.headers["X-Title"]) == ("Bearer k-123", "mom")
    assert (sent.headers["User-Agent"], sent.body) == ("mom-gateway", {"model": "m", "messages": []})
    assert (attempt.sent, attempt.status, attempt.first_byte) == (True, 200, 7.0)


@pytest.mark.parametrize("name", ["Content-Type", "content-type"])
async def test_a_configured_header_cannot_change_the_content_type(upstream: FakeUpstream, name: str) -> None:
    """The body is always JSON."""
    question = ChatRequest(Conversation(), {"model": "m"}, ((name, "text/plain"),))
    async with client_of(upstream) as real:
        await real.complete(question, timeouts=Timeouts(5), attempt=Attempt(0))
    assert upstream.requests[0].headers.getall("Content-Type") == ["application/json"]


async def test_a_configured_header_replaces_our_own(upstream: FakeUpstream) -> None:
    """Whatever its case."""
    question = ChatRequest(Conversation(), {"model": "m"}, (("user-agent", "theirs"),))
    async with client_of(upstream) as real:
        await real.complete(question, timeouts=Timeouts(5), attempt=Attempt(0))
    assert upstream.requests[0].headers.getall("User-Agent") == ["theirs"]


def test_an_endpoint_does_not_show_its_key() -> None:
    """Not even in a traceback or a log."""
    assert "k-123" not in repr(Endpoint(URL, Secret("k-123", "KEY")))


@pytest.mark.parametrize(
    ("exception", "kind"),
    [
        (TimeoutError(), Kind.TIMEOUT),
        (aiohttp.ConnectionTimeoutError(), Kind.TIMEOUT),
        (aiohttp.ServerDisconnectedError(), Kind.DISCONNECTED),
        (aiohttp.ClientOSError(104, "reset"), Kind.DISCONNECTED),
        (aiohttp.ClientPayloadError(), Kind.TRUNCATED),
        (aiohttp.InvalidURL("x"), Kind.CONNECT),
    ],
)
async def test_exceptions_of_aiohttp_become_ours(upstream: FakeUpstream, exception: Exception, kind: Kind) -> None:
    """Timeouts first: aiohttp's are ClientErrors as well."""
    async with client_of(upstream) as real:
        with patch.object(DirectExchange, "post", side_effect=exception), pytest.raises(CallError) as caught:
            await complete(real)
    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("step", "kind", "says"),
    [
        (redirect("http://127.0.0.1:9/x?key=1"), Kind.REJECTED, "check base_url, which leads to http://127.0.0.1:9/x"),
        (header_bomb(), Kind.UNPARSABLE, "a header of more than 65536 bytes"),
        (
            raw(b"\x15\x03\x01\x00\x02\x02\x28"),
            Kind.UNPARSABLE,
            "not HTTP; check the scheme, host and port of base_url",
        ),
        (raw(b"SSH-2.0-OpenSSH_9\r\n\r\n"), Kind.UNPARSABLE, "not HTTP"),
        (
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}"),
            Kind.UNPARSABLE,
            "not valid HTTP",
        ),
        (reply(b"{}", headers={"Content-Encoding": "gzip"}), Kind.UNPARSABLE, "not compressed as"),
        (reply(b"{}", headers={"Content-Encoding": "br"}), Kind.UNPARSABLE, "cannot be read"),
        (oversized(200_000), Kind.OVERSIZED, "larger than"),
        (gzip_bomb(), Kind.OVERSIZED, "larger than"),
        (status(500, body=b"x" * 200_000), Kind.SERVER_ERROR, "xxx"),
        (status(503, retry_after=3), Kind.SERVER_ERROR, "says 503"),
        (
            status(422, body={"detail": [{"loc": ["seed"], "msg": "no", "input": "x" * 200_000}]}),
            Kind.REJECTED,
            "seed: no",
        ),
        (status(422, body={"detail": [{"msg": "too odd", "input": "x" * 2_000_000}]}), Kind.REJECTED, "too odd"),
    ],
)
async def test_hostile_replies_are_bounded_and_named(upstream: FakeUpstream, step: Any, kind: Kind, says: str) -> None:
    """No more than the limit is read, and the message says what is wrong."""
    upstream.default = step
    async with client_of(upstream, max_reply_bytes=100_000) as real:
        with pytest.raises(CallError) as caught:
            await complete(real)
    assert caught.value.kind is kind
    assert says in caught.value.message


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LONGER = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"
JSON = b'{"choices": [{"message": {"content": "Rivers"}, "finish_reason": "stop"}]}'


@pytest.mark.parametrize(
    "wire", [CHUNKED + b"%x\r\n%b\r\n" % (len(JSON), JSON), LONGER + JSON], ids=["no last chunk", "a longer length"]
)
async def test_a_complete_answer_counts_although_its_connection_broke_off(upstream: FakeUpstream, wire: bytes) -> None:
    """JSON shows that it is complete; also if it replies to a request for a stream."""
    upstream.default = raw(wire)
    async with client_of(upstream) as real:
        assert (await complete(real))["choices"][0]["message"]["content"] == "Rivers"
        chunks = real.stream(REQUEST, timeouts=Timeouts(5), attempt=Attempt(0))
        assert (await anext(chunks))["choices"][0]["delta"]["content"] == "Rivers"
        with pytest.raises(CallError):  # which attempts.py ignores after a finish reason
            await anext(chunks)


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (JSON[:-2], Kind.TRUNCATED, "the reply broke off in its body"),
        (b"<html>", Kind.TRUNCATED, "the reply broke off in its body"),
        (b'{"error": {"message": "the quota is used up", "code": 429}}', Kind.RATE_LIMITED, "the quota is used up"),
    ],
)
async def test_an_incomplete_body_is_one_that_broke_off(
    upstream: FakeUpstream, body: bytes, kind: Kind, says: str
) -> None:
    """Not one of another form, and a complete error arrives with its words."""
    upstream.default = raw(LONGER + body)
    async with client_of(upstream) as real:
        with pytest.raises(CallError) as caught:
            await complete(real)
        with pytest.raises(CallError) as streamed:
            assert not [chunk async for chunk in real.stream(REQUEST, timeouts=Timeouts(5), attempt=Attempt(0))]
    for error in (caught.value, streamed.value):
        assert (error.kind, error.message) == (kind, says)


async def test_an_embedded_model_that_does_not_load_in_time_is_not_ready() -> None:
    """Waiting for its endpoint is limited as well, and is no fault of an upstream."""

    async def locate() -> Endpoint:
        await asyncio.Event().wait()
        raise AssertionError

    upstream = Upstream(locate, clock=lambda: 7.0, timers=TimerWheel())
    with pytest.raises(CallError, match=r"not ready within 0\.01 s") as caught:
        await upstream.complete(REQUEST, timeouts=Timeouts(0.01), attempt=Attempt(0))
    await upstream.close()
    assert caught.value.kind is Kind.NOT_READY


async def test_a_refused_connection_is_a_failure_to_connect() -> None:
    """Nobody listens at the address."""
    with refusing() as base_url:
        upstream = upstream_at(base_url)
        with pytest.raises(CallError) as caught:
            await complete(upstream)
        await upstream.close()
    assert caught.value.kind is Kind.CONNECT
    assert re.search(r"^cannot connect \(127\.0\.0\.1:\d+: .*refused", caught.value.message, re.IGNORECASE)


async def test_an_upstream_that_ignores_stream_is_read_as_one_chunk(upstream: FakeUpstream) -> None:
    """It sends JSON although a stream was requested."""
    upstream.default = unstreamed(fake_answer("whole"))
    async with client_of(upstream) as real:
        chunks = [chunk async for chunk in real.stream(REQUEST, timeouts=Timeouts(5), attempt=Attempt(0))]
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks] == ["whole"]
    assert chunks[0]["choices"][0]["finish_reason"] == "stop"


async def test_connecting_ahead_sends_nothing_and_never_fails(upstream: FakeUpstream) -> None:
    """Even if the endpoint has to be awaited first, as for an embedded model."""
    async with client_of(upstream) as real:
        await real.connect((), CHAT, 5.0)
        await upstream.wait_accepted(1)
        assert upstream.requests == []
        await complete(real)
        assert upstream.connections == 1  # whatever the headers are, it is the same address
    with refusing() as base_url:
        nobody = upstream_at(base_url)
        await nobody.connect((), CHAT, 5.0)
        await nobody.close()


async def test_a_stream_that_is_always_ready_lets_others_run(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of chunks that arrive at once are not read in one turn of the event loop."""
    n_chunks, step_s = 2_000, 0.001
    word = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
    upstream.default = raw_stream([word * n_chunks, b"data: [DONE]\n\n"])
    now, n_turns = asyncio.get_running_loop().time(), 0

    def count_time() -> float:
        nonlocal now
        now += step_s  # each look at the clock finds that a chunk has taken so long
        return now

    async def count_turns() -> None:
        nonlocal n_turns
        while True:
            n_turns += 1
            await asyncio.sleep(0)

    async with client_of(upstream) as real:
        monkeypatch.setattr(real._timers, "now", count_time)
        counting = asyncio.create_task(count_turns())
        n_read = 0
        async for _ in real.stream(REQUEST, timeouts=Timeouts(1e6), attempt=Attempt(0)):
            if not n_read:
                n_turns = 0
            n_read += 1
        counting.cancel()
    assert n_read >= n_chunks
    assert n_turns >= n_chunks * step_s / SLICE_S / 2
