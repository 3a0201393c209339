"""Shutdown: it is announced, running requests finish, and a second signal ends the process at once."""

import asyncio
import json
import os
import pty
import signal
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientError, ClientSession

from config.settings import Server
from tests.fakes import FakeUpstream, after, answer, hang, stall_mid_stream
from tests.processes import loaded, logged, served
from tests.running import Gateway, ask, model, running, settings


def written(folder: Path, upstream: FakeUpstream, *, shutdown_timeout_s: float = 60.0, more: str = "") -> Path:
    path = folder / "config.yaml"
    server = f"{{shutdown_timeout_s: {shutdown_timeout_s}, json_heartbeat_s: 0, max_concurrent_requests: 2{more}}}"
    path.write_text(f'server: {server}\nmodels: [{{name: a, base_url: "{upstream.base_url}"}}]\n')
    return path


async def stopping(gateway: Gateway) -> Any:
    """Wait until /readyz says that the gateway stops; return what it says."""
    async with asyncio.timeout(60):
        while (reply := await gateway.request("GET", "/readyz")).status == 200:  # noqa: ASYNC110 -- asked
            await asyncio.sleep(0.01)
    return reply.json


async def code(child: Process) -> int:
    return await asyncio.wait_for(child.wait(), 60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_running_requests_may_finish(upstream: FakeUpstream, tmp_path: Path, number: signal.Signals) -> None:
    """/readyz reports it; new and waiting requests are refused, running ones answered and traced."""
    gate = asyncio.Event()
    upstream.default = after(gate, answer("served"))
    traces = tmp_path / "traces"
    async with served(written(tmp_path, upstream), "--debug-requests", str(traces)) as (child, gateway):
        plain, streamed = (asyncio.create_task(gateway.chat(ask(stream=stream))) for stream in (False, True))
        await upstream.wait_for(2)
        queued = asyncio.create_task(gateway.chat())
        await loaded(gateway, waiting=1)
        child.send_signal(number)
        assert (await stopping(gateway))["status"] == "stopping"
        assert (await gateway.request("GET", "/healthz")).status == 200
        for refused in (await queued, await gateway.chat()):
            assert (refused.status, refused.error["code"]) == (503, "shutting_down")
            assert int(refused.headers["retry-after"]) >= 1
        gate.set()
        assert (await plain).text == "served"
        assert (await streamed).streamed() == "served"
        assert (await streamed).events[-1] == "[DONE]"
        assert await code(child) == 0
        with pytest.raises(ClientConnectionError):
            await gateway.request("GET", "/healthz")
    written_traces = [json.loads(path.read_text()) for path in traces.glob("chatcmpl-*.json")]
    assert sorted(trace["status"] for trace in written_traces) == [200, 200]
    assert not list(traces.glob(".*"))
    assert len(upstream.requests) == 2


async def test_requests_that_run_too_long_get_an_error(upstream: FakeUpstream, tmp_path: Path) -> None:
    """503, or an event if a stream has begun; no connection is cut, and the exit code is 0."""
    upstream.script("a", hang(), stall_mid_stream(3, step=answer("one two three four five")))
    traces = tmp_path / "traces"
    path = written(tmp_path, upstream, shutdown_timeout_s=0.1)
    async with served(path, "--debug-requests", str(traces)) as (child, gateway):
        plain = asyncio.create_task(gateway.chat(ask(model="a")))
        await upstream.wait_for(1)
        async with gateway.open(ask(model="a", stream=True)) as response:
            begun = await response.content.readuntil(b"\n\n")
            child.send_signal(signal.SIGTERM)
            rest = await response.read()
        assert begun.startswith(b"data: {")
        last = json.loads(rest.decode().rstrip().rsplit("\n\n", 1)[-1].removeprefix("data: "))
        assert last["error"]["code"] == "shutting_down"
        refused = await plain
        assert (refused.status, refused.error["code"]) == (503, "shutting_down")
        assert "retry-after" in refused.headers
        assert await code(child) == 0
    for request in upstream.requests:
        await asyncio.wait_for(request.disconnected.wait(), 60)
    found = [json.loads(trace.read_text()) for trace in traces.glob("chatcmpl-*.json")]
    assert [trace["error"]["code"] for trace in found] == ["shutting_down"] * 2
    assert {call["outcome"] for trace in found for call in trace["calls"]} == {"cancelled"}


async def test_a_missing_body_does_not_delay_shutdown(upstream: FakeUpstream, tmp_path: Path) -> None:
    """The client gets the error while its body is still expected."""
    async with served(written(tmp_path, upstream, shutdown_timeout_s=0.1)) as (child, gateway):
        host, port = gateway.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{")
        await loaded(gateway, receiving=1)
        child.send_signal(signal.SIGTERM)
        assert (await asyncio.wait_for(reader.readline(), 60)).split()[1] == b"503"
        assert await code(child) == 0
        writer.close()


async def test_a_client_that_does_not_read_does_not_delay_shutdown(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Its stream is cut after a second for the error."""
    upstream.default = answer("x" * 24_000_000, piece_chars=60_000)
    async with served(written(tmp_path, upstream, shutdown_timeout_s=0.1)) as (child, gateway):
        host, port = gateway.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        body = json.dumps(ask(model="a", stream=True)).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        assert (await asyncio.wait_for(reader.readline(), 60)).split()[1] == b"200"
        child.send_signal(signal.SIGTERM)
        assert await code(child) == 0
        writer.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_at_once(upstream: FakeUpstream, tmp_path: Path, number: signal.Signals) -> None:
    """With the signal's default action, without a traceback; connections close with the process."""
    upstream.default = hang()
    async with served(written(tmp_path, upstream)) as (child, gateway):
        asking = asyncio.create_task(gateway.chat())
        await upstream.wait_for(1)
        child.send_signal(number)
        await stopping(gateway)
        child.send_signal(number)
        assert await code(child) == -number
        with pytest.raises(ClientError):
            await asking
        assert child.stderr is not None
        assert b"Traceback" not in await child.stderr.read()


async def test_closing_the_terminal_stops_it(upstream: FakeUpstream, tmp_path: Path) -> None:
    """SIGHUP reloads the configuration, unless the terminal of the gateway was closed."""
    outer, inner = pty.openpty()
    try:
        async with served(written(tmp_path, upstream), stdin=inner) as (child, _):
            os.close(inner)
            child.send_signal(signal.SIGHUP)
            await logged(child, "configuration reloaded")
            os.close(outer)
            outer = -1
            child.send_signal(signal.SIGHUP)
            assert await code(child) == 0
    finally:
        if outer >= 0:
            os.close(outer)


async def test_the_application_alone_ends_its_streams(upstream: FakeUpstream) -> None:
    """Also without the gateway's own signal handling."""
    upstream.default = hang()
    config = settings([model("a", upstream)], server=Server(port=0, stream_heartbeat_s=0.01))
    async with ClientSession() as session:
        async with running(config) as gateway:
            response = await Gateway(gateway.url, session).open(ask(stream=True))
            await response.content.readuntil(b"\n\n")
            reading = asyncio.create_task(response.read())
        assert b"shutting_down" in await reading
