"""One attempt at one upstream: what is sent, and what each fault is called."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest

from config.settings import Secret
from tests.fakes import FakeUpstream, gzip_bomb, header_bomb, oversized, redirect, refusing, status, unstreamed
from tests.fakes import answer as fake_answer
from tests.fakes.aioresponses_compat import MendedResponses
from upstream.alarms import Alarms
from upstream.calls import Attempt
from upstream.client import Endpoint, Question, Timeouts, Upstream
from upstream.errors import CallError, Kind

URL = "http://upstream.example/v1"
GOOD = {"choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}
QUESTION = Question([], {"model": "m"}, {"X-Title": "mom"})


def upstream_at(base_url: str, **options: Any) -> Upstream:
    async def locate() -> Endpoint:
        return Endpoint(base_url, Secret("k-123", "KEY"))

    return Upstream(locate, clock=lambda: 7.0, alarms=Alarms(), **options)


@pytest.fixture
async def known() -> AsyncGenerator[Upstream]:
    upstream = upstream_at(URL)
    yield upstream
    await upstream.close()


async def complete(upstream: Upstream, attempt: Attempt | None = None) -> dict[str, Any]:
    return await upstream.complete(QUESTION, timeouts=Timeouts(5), attempt=attempt or Attempt(0))


async def test_key_and_headers_go_out_and_the_attempt_is_recorded(known: Upstream) -> None:
    """The configured headers come beside the key."""
    attempt = Attempt(0)
    with MendedResponses() as mocked:
        mocked.post(f"{URL}/chat/completions", payload=GOOD)
        assert await complete(known, attempt) == GOOD
        ((sent,),) = mocked.requests.values()
    assert sent.kwargs["headers"]["Authorization"] == "Bearer k-123"
    assert sent.kwargs["headers"]["X-Title"] == "mom"
    assert sent.kwargs["allow_redirects"] is False
    assert (attempt.sent, attempt.status, attempt.first_byte) == (True, 200, 7.0)


async def test_a_configured_header_cannot_say_that_the_body_is_no_json(known: Upstream) -> None:
    """It is the gateway's own."""
    question = Question([], {"model": "m"}, {"Content-Type": "text/plain"})
    with MendedResponses() as mocked:
        mocked.post(f"{URL}/chat/completions", payload=GOOD)
        await known.complete(question, timeouts=Timeouts(5), attempt=Attempt(0))
        ((sent,),) = mocked.requests.values()
    assert sent.kwargs["headers"]["Content-Type"] == "application/json"


def test_an_endpoint_does_not_show_its_key() -> None:
    """Also where a traceback or a log shows the endpoint."""
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
async def test_aiohttp_s_exceptions_become_ours(known: Upstream, exception: Exception, kind: Kind) -> None:
    """Time-outs first: aiohttp's are ClientErrors as well."""
    with MendedResponses() as mocked:
        mocked.post(f"{URL}/chat/completions", exception=exception)
        with pytest.raises(CallError) as caught:
            await complete(known)
    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("step", "kind", "says"),
    [
        (redirect("http://127.0.0.1:9/elsewhere"), Kind.REJECTED, "redirects are not followed"),
        (header_bomb(), Kind.UNPARSABLE, "not valid HTTP"),
        (oversized(200_000), Kind.OVERSIZED, "larger than"),
        (gzip_bomb(), Kind.OVERSIZED, "larger than"),
        (status(500, body=b"x" * 200_000), Kind.SERVER_ERROR, "HTTP 500"),
        (status(503, retry_after=3), Kind.SERVER_ERROR, "says 503"),
    ],
)
async def test_hostile_replies_are_bounded_and_named(upstream: FakeUpstream, step: Any, kind: Kind, says: str) -> None:
    """Over real sockets: no more is read than the bound, and the failure has a name."""
    upstream.default = step
    real = upstream_at(upstream.base_url, max_reply_bytes=100_000)
    with pytest.raises(CallError) as caught:
        await complete(real)
    await real.close()
    assert caught.value.kind is kind
    assert says in caught.value.message


async def test_an_embedded_model_that_does_not_load_in_time_is_not_ready() -> None:
    """Finding out where it listens is bounded as well, and is no fault of an upstream."""

    async def locate() -> Endpoint:
        await asyncio.Event().wait()
        raise AssertionError

    upstream = Upstream(locate, clock=lambda: 7.0, alarms=Alarms())
    with pytest.raises(CallError, match="not ready in time") as caught:
        await upstream.complete(QUESTION, timeouts=Timeouts(0.01), attempt=Attempt(0))
    await upstream.close()
    assert caught.value.kind is Kind.NOT_READY


async def test_nobody_listens() -> None:
    """A refused connection."""
    with refusing() as base_url:
        upstream = upstream_at(base_url)
        with pytest.raises(CallError) as caught:
            await complete(upstream)
        await upstream.close()
    assert caught.value.kind is Kind.CONNECT


async def test_an_upstream_that_ignores_stream_is_read_as_one_chunk(upstream: FakeUpstream) -> None:
    """JSON where a stream was asked for."""
    upstream.default = unstreamed(fake_answer("whole"))
    real = upstream_at(upstream.base_url)
    chunks = [chunk async for chunk in real.stream(QUESTION, timeouts=Timeouts(5), attempt=Attempt(0))]
    await real.close()
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks] == ["whole"]
    assert chunks[0]["choices"][0]["finish_reason"] == "stop"
