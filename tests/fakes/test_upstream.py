"""The fake upstream: scripts in turn, records of every request, a clean end."""

import asyncio
import json
from io import BytesIO

import pytest
from aiohttp import ClientConnectorError, ClientSession, ClientTimeout, ConnectionTimeoutError, ServerDisconnectedError

from tests.fakes import (
    FakeUpstream,
    after,
    answer,
    from_request,
    hang,
    oversized,
    paced,
    refusing,
    stall_mid_stream,
    status,
    unanswering,
)
from tests.fakes.conftest import Ask


async def status_of(ask: Ask, model: str) -> int:
    async with ask(model) as response:
        await response.read()
        return response.status


async def test_steps_in_turn_and_the_last_repeats(upstream: FakeUpstream, ask: Ask) -> None:
    """Each model has its own script; a model without one gets the default."""
    upstream.script("a", status(500), status(501), status(502))
    upstream.script("b", status(400))
    upstream.default = status(404)
    asked = ["a", "b", "a", "a", "c", "a"]
    assert [await status_of(ask, model) for model in asked] == [500, 400, 501, 502, 404, 502]
    assert [request.sequence for request in upstream.requests_for("a")] == [0, 2, 3, 5]
    upstream.script("a", answer())
    assert await status_of(ask, "a") == 200


async def test_a_script_has_a_step(upstream: FakeUpstream) -> None:
    """An empty script is a mistake in the test."""
    with pytest.raises(ValueError, match="at least one step"):
        upstream.script("a")


async def test_requests_are_recorded(upstream: FakeUpstream) -> None:
    """Body, bytes and headers of each request are kept as they came, also of one that is no JSON."""
    async with ClientSession(headers={"Authorization": "Bearer key-1"}) as session:
        for raw, code in ((b'{"model": "m",  "seed": 1}', 200), (b"[1]", 400), (b"{", 400)):
            async with session.post(f"{upstream.base_url}/chat/completions", data=raw) as response:
                assert response.status == code
    first, *odd = await upstream.wait_for(3)
    assert first.raw == b'{"model": "m",  "seed": 1}'
    assert (first.model, first.body) == ("m", {"model": "m", "seed": 1})
    assert first.headers["authorization"] == "Bearer key-1"
    assert [(request.model, request.body, request.raw) for request in odd] == [("", {}, b"[1]"), ("", {}, b"{")]
    await upstream.wait_idle()
    assert not any(request.disconnected.is_set() for request in upstream.requests)
    assert all(request.finished.is_set() for request in upstream.requests)


async def test_large_requests_are_read(upstream: FakeUpstream) -> None:
    """No bound stands in the way of a long conversation."""
    body = json.dumps({"model": "m", "padding": "x" * (3 << 20)}).encode()
    url = f"{upstream.base_url}/chat/completions"
    async with ClientSession() as session, session.post(url, data=BytesIO(body)) as response:
        assert response.status == 200
    assert upstream.requests[0].raw == body


async def test_requests_in_flight_are_counted(upstream: FakeUpstream, ask: Ask) -> None:
    """The highest number of replies under way at the same time is kept, and each has its connection."""
    gate = asyncio.Event()
    upstream.default = after(gate, answer())
    asked = [asyncio.create_task(status_of(ask, "m")) for _ in range(3)]
    await upstream.wait_for(3)
    assert upstream.in_flight == 3
    gate.set()
    assert await asyncio.gather(*asked) == [200, 200, 200]
    await upstream.wait_idle()
    assert await status_of(ask, "m") == 200
    assert (upstream.max_in_flight, upstream.connections, upstream.open_connections) == (3, 3, 3)


async def test_the_client_leaves_a_body_that_is_under_way(upstream: FakeUpstream, ask: Ask) -> None:
    """A client that stops reading and leaves is noticed though the fake is writing."""
    upstream.script("m", oversized(64 << 20), paced(0.001, oversized(1 << 20, delta_bytes=10)))
    for stream in (False, True):
        async with ask(stream=stream) as response:
            await response.content.readany()
        await upstream.requests[-1].disconnected.wait()
    await upstream.wait_connections(0)
    assert upstream.open_connections == 0


async def test_models_are_listed(upstream: FakeUpstream) -> None:
    """`GET /v1/models` names what has a script; any other path is a 404 in JSON."""
    upstream.script("b", answer())
    upstream.script("a", answer())
    async with ClientSession() as session:
        async with session.get(f"{upstream.base_url}/models") as response:
            assert [model["id"] for model in (await response.json())["data"]] == ["b", "a"]
        async with session.get(f"{upstream.base_url}/embeddings") as response:
            assert (response.status, (await response.json())["error"]["type"]) == (404, "not_found")
    assert upstream.requests == []


async def test_closing_ends_running_replies() -> None:
    """A close ends every reply and every connection, and counts none of it as the client's leaving."""
    before = asyncio.all_tasks()
    async with ClientSession() as session:
        async with FakeUpstream() as upstream:
            upstream.script("hang", hang())
            upstream.script("stall", stall_mid_stream())
            upstream.script("unread", oversized(64 << 20))
            asked = [
                asyncio.ensure_future(
                    session.post(f"{upstream.base_url}/chat/completions", json={"model": model, "stream": True}),
                )
                for model in ("hang", "stall", "unread", "idle")
            ]
            await upstream.wait_for(4)
            await asyncio.wait(asked[1:])
        assert upstream.open_connections == 0
        assert not any(request.disconnected.is_set() for request in upstream.requests)
        with pytest.raises(ServerDisconnectedError):
            await asked[0]
        for answered in asked[1:]:
            answered.result().close()
        with pytest.raises(ClientConnectorError):
            await session.get(upstream.base_url)
    assert asyncio.all_tasks() == before


async def test_a_broken_step_breaks_the_test() -> None:
    """What a step raises comes out of the fake's close, so that a broken script is no fault of the upstream."""
    upstream = FakeUpstream(from_request(lambda body: body["absent"]))

    async def question() -> None:
        async with (
            upstream,
            ClientSession() as session,
            session.post(f"{upstream.base_url}/chat/completions", json={"model": "m"}) as response,
        ):
            assert response.status == 500

    with pytest.raises(ExceptionGroup) as caught:
        await question()
    assert caught.group_contains(KeyError, match="absent")


async def test_waiting_in_vain_times_out(upstream: FakeUpstream) -> None:
    """A test whose requests never come fails and does not hang."""
    with pytest.raises(TimeoutError):
        await upstream.wait_for(1, timeout_s=0.001)


async def test_a_port_that_refuses() -> None:
    """Connecting fails at once."""
    with refusing() as base_url:
        async with ClientSession() as session:
            with pytest.raises(ClientConnectorError) as caught:
                await session.get(base_url)
    assert isinstance(caught.value.os_error, ConnectionRefusedError)


async def test_a_port_that_does_not_answer() -> None:
    """Connecting neither succeeds nor fails; only a timeout ends it."""
    with unanswering() as base_url:
        async with ClientSession(timeout=ClientTimeout(connect=0.2)) as session:
            with pytest.raises(ConnectionTimeoutError):
                await session.get(base_url)
