"""Every delay and every cut happens on the wire as scripted, and a leaving client is noticed."""

import asyncio
import json
from collections.abc import Callable

import pytest
from aiohttp import ClientOSError, ClientPayloadError, ClientResponse, ServerDisconnectedError

from tests.fakes import (
    Ending,
    FakeUpstream,
    Step,
    after,
    answer,
    drip,
    drop_before,
    drop_mid_body,
    drop_mid_stream,
    hang,
    hang_body,
    paced,
    raw,
    stall_mid_stream,
    status,
)
from tests.fakes.conftest import Ask, events

EVENTS_OF_ANSWER = 11  # role, eight deltas, finish, [DONE]


async def received_until_cut(response: ClientResponse) -> bytes:
    """Return what arrives before the body breaks off."""
    received = b""

    async def read() -> None:
        nonlocal received
        async for data in response.content.iter_any():
            received += data

    with pytest.raises(ClientPayloadError):
        await read()
    return received


async def test_a_gate_holds_a_step_back(upstream: FakeUpstream, ask: Ask) -> None:
    """`after` an event nothing comes until the test sets it, then the step as it is."""
    gate = asyncio.Event()
    upstream.script("m", after(gate, after(0.0, status(503))))

    async def question() -> int:
        async with ask() as response:
            return response.status

    asked = asyncio.create_task(question())
    [recorded] = await upstream.wait_for(1)
    assert not asked.done()
    assert not recorded.finished.is_set()
    gate.set()
    assert await asked == 503


@pytest.mark.parametrize("step", [answer(delay_s=0.001), paced(0.0), drip(), drip(n_bytes=7, pause_s=0.0)])
@pytest.mark.parametrize("stream", [False, True])
async def test_slow_answers_are_whole(upstream: FakeUpstream, ask: Ask, step: Step, *, stream: bool) -> None:
    """However slowly it comes, the body is that of a plain answer."""
    upstream.script("m", answer(), step)
    bodies = []
    for _ in range(2):
        async with ask(stream=stream) as response:
            bodies.append(await response.read())
    assert bodies[0] == bodies[1]


async def test_a_drip_is_many_chunks(upstream: FakeUpstream, ask: Ask) -> None:
    """A dripped stream comes in HTTP chunks of so many bytes."""
    upstream.script("m", drip(answer("Hi"), n_bytes=3))
    sizes = [0]
    async with ask(stream=True) as response:
        async for data, ends_chunk in response.content.iter_chunks():
            sizes[-1] += len(data)
            if ends_chunk:
                sizes.append(0)
    assert set(sizes[:-2]) == {3}


@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_is_dropped_before_a_byte(upstream: FakeUpstream, ask: Ask, *, reset: bool) -> None:
    """The connection is closed, or reset, without an answer; that is not the client's leaving."""
    upstream.script("m", drop_before(reset=reset))
    with pytest.raises(ClientOSError if reset else ServerDisconnectedError):
        async with ask():
            pass
    [recorded] = await upstream.wait_for(1)
    await recorded.finished.wait()
    assert not recorded.disconnected.is_set()


@pytest.mark.parametrize("reset", [False, True])
async def test_a_body_is_cut_in_the_middle(upstream: FakeUpstream, ask: Ask, *, reset: bool) -> None:
    """The head promises the whole length, half of it comes; a reset may lose some of that as well."""
    upstream.script("m", drop_mid_body(reset=reset))
    async with ask() as response:
        promised = int(response.headers["content-length"])
        received = await received_until_cut(response)
    assert len(received) <= promised // 2
    assert reset or len(received) == promised // 2


async def test_a_stream_is_cut_between_events(upstream: FakeUpstream, ask: Ask) -> None:
    """So many whole events come, then the stream breaks off without an end."""
    upstream.script("m", drop_mid_stream(2))
    async with ask(stream=True) as response:
        received = await received_until_cut(response)
    assert len(events(received)) == 2
    async with ask() as response:
        assert len(await received_until_cut(response)) == int(response.headers["content-length"]) // 2


async def test_a_stream_can_be_cut_after_its_last_event(upstream: FakeUpstream, ask: Ask) -> None:
    """Also a stream whose every event came can lack its end."""
    upstream.script("m", drop_mid_stream(99))
    async with ask(stream=True) as response:
        received = events(await received_until_cut(response))
    assert len(received) == EVENTS_OF_ANSWER
    assert received[-1] == "[DONE]"


async def test_a_stall_ends_at_its_gate(upstream: FakeUpstream, ask: Ask) -> None:
    """The first events come, the rest only when the test lets it."""
    gate = asyncio.Event()
    upstream.script("m", stall_mid_stream(2, until=gate))
    async with ask(stream=True) as response:
        received = b""
        while received.count(b"\n\n") < 2:
            received += await response.content.readany()
        assert len(events(received)) == 2
        gate.set()
        received += await response.read()
    assert len(events(received)) == EVENTS_OF_ANSWER


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("make", [hang_body, stall_mid_stream])
async def test_a_body_can_hang_after_its_head(
    upstream: FakeUpstream,
    ask: Ask,
    make: Callable[[], Step],
    *,
    stream: bool,
) -> None:
    """The head comes, the body does not end; the client that leaves is noticed."""
    upstream.script("m", make())
    async with ask(stream=stream) as response:
        assert response.status == 200
        [recorded] = upstream.requests
        assert not recorded.finished.is_set()
    await recorded.disconnected.wait()
    await recorded.finished.wait()


async def test_a_reply_can_hang_before_its_first_byte(upstream: FakeUpstream, ask: Ask) -> None:
    """Nothing comes; cancelling the client closes the connection, which the fake sees at once."""
    upstream.script("m", hang())
    asked = asyncio.ensure_future(ask().__aenter__())
    [recorded] = await upstream.wait_for(1)
    asked.cancel()
    await recorded.disconnected.wait()
    await upstream.wait_idle()
    assert upstream.in_flight == 0


async def test_a_hanging_reply_is_released(upstream: FakeUpstream, ask: Ask) -> None:
    """`release` closes what hangs now, and nothing that hangs later."""
    upstream.script("m", hang(), hang_body())
    asked = asyncio.ensure_future(ask().__aenter__())
    [first] = await upstream.wait_for(1)
    upstream.release()
    with pytest.raises(ServerDisconnectedError):
        await asked
    await first.finished.wait()
    assert not first.disconnected.is_set()
    async with ask():
        assert not upstream.requests[1].finished.is_set()


@pytest.mark.parametrize("ending", [Ending.CLOSE, Ending.HOLD])
async def test_exact_bytes_of_a_connection(upstream: FakeUpstream, ending: Ending) -> None:
    """`raw` puts its bytes on the connection and nothing else."""
    wire = b"HTTP/1.1 299 Odd\r\ncontent-length: 2\r\nx-a: 1\r\n\r\n{}"
    upstream.script("m", raw(wire[:20], 0.0, wire[20:], ending=ending))
    host, port = upstream.base_url.removeprefix("http://").removesuffix("/v1").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps({"model": "m"}).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert await reader.readexactly(len(wire)) == wire
    upstream.release()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
