"""More requests than the gateway may take at once, over real sockets."""

import asyncio
import json
import sys
from asyncio import StreamReader, StreamWriter
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp import ClientSession, TCPConnector
from structlog.testing import capture_logs

from config.settings import Server, Settings
from tests.fakes import FakeUpstream, after, answer
from tests.fakes import reply as raw_reply
from tests.processes import loaded, served
from tests.running import Gateway, ask, model, running, settings


def narrow(upstream: FakeUpstream, **limits: Any) -> Settings:
    """Return settings for one request at a time."""
    server = Server(port=0, **{"max_concurrent_requests": 1, "max_queued_requests": 1, **limits})
    return settings([model("a", upstream)], server=server)


async def test_beyond_the_queue_the_answer_is_503(upstream: FakeUpstream) -> None:
    """At once, with Retry-After; who runs and who waits is served, and the log has how long it waited."""
    gate = asyncio.Event()
    upstream.default = after(gate, answer("served"))
    with capture_logs() as log:
        async with running(narrow(upstream)) as gateway:
            first = asyncio.create_task(gateway.chat())
            await upstream.wait_for(1)
            second = asyncio.create_task(gateway.chat())
            await loaded(gateway, waiting=1)
            refused = await gateway.chat()
            assert (refused.status, refused.error["code"]) == (503, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
            assert "x-should-retry" not in refused.headers
            for path in ("/healthz", "/readyz", "/v1/models", "/v1/models/mom"):
                assert (await gateway.request("GET", path)).status == 200
            assert len(upstream.requests) == 1
            gate.set()
            assert [(await each).text for each in (first, second)] == ["served", "served"]
    lines = [line for line in log if line["event"] == "request" and line["path"] == "/v1/chat/completions"]
    assert ["queued_s" in line for line in lines] == [False, False, True]
    assert [line.get("error") for line in lines] == ["overloaded", None, None]


async def test_a_long_wait_ends_with_503(upstream: FakeUpstream) -> None:
    """After max_queue_wait_s, without a call upstream; the place in the queue is free again."""
    gate = asyncio.Event()
    upstream.default = after(gate, answer("served"))
    async with running(narrow(upstream, max_queue_wait_s=0.05)) as gateway:
        first = asyncio.create_task(gateway.chat())
        await upstream.wait_for(1)
        for _ in range(2):
            refused = await gateway.chat()
            assert (refused.status, refused.error["code"]) == (503, "overloaded")
            assert "0.05 s" in refused.error["message"]
        gate.set()
        assert (await first).text == "served"
        assert (await gateway.chat()).text == "served"
    assert len(upstream.requests) == 2


async def test_first_come_first_served(upstream: FakeUpstream) -> None:
    """A client that leaves while it waits gives up its place, and nobody else loses one."""
    gates = [asyncio.Event() for _ in range(3)]
    upstream.script("a", *(after(gate, answer()) for gate in gates))
    async with running(narrow(upstream, max_queued_requests=3)) as gateway:
        asking = [asyncio.create_task(gateway.chat(ask("0")))]
        await upstream.wait_for(1)
        for n in (1, 2, 3):
            asking.append(asyncio.create_task(gateway.chat(ask(str(n)))))
            await loaded(gateway, waiting=n)
        asking[1].cancel()
        await loaded(gateway, waiting=2)
        for n, gate in enumerate(gates, 1):
            gate.set()
            await upstream.wait_for(min(n + 1, 3))
        assert [(await asking[n]).status for n in (0, 2, 3)] == [200, 200, 200]
    said = [request.body["messages"][0]["content"] for request in upstream.requests]
    assert said == ["0", "2", "3"]


async def test_a_refusal_does_not_wait_for_the_body(upstream: FakeUpstream) -> None:
    """Nor does waiting in the queue need it: what is not read takes no memory."""
    upstream.default = after(asyncio.Event(), answer())
    async with running(narrow(upstream, max_queued_requests=0)) as gateway:
        first = asyncio.create_task(gateway.chat())
        await upstream.wait_for(1)
        host, port = gateway.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n")
        async with asyncio.timeout(30):
            assert (await reader.readline()).split()[1] == b"503"
        writer.close()
        await writer.wait_closed()
        first.cancel()


class Silent:
    """An upstream that accepts connections, and neither reads nor says anything. An async context manager."""

    def __init__(self) -> None:
        self.base_url = ""
        self._n_connections = 0
        self._changed = asyncio.Condition()
        self._ended = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._hold, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.set()
        self._server.close()
        await self._server.wait_closed()

    async def connected(self, n_connections: int) -> None:
        """Wait until so many connections were accepted."""
        async with asyncio.timeout(60), self._changed:
            await self._changed.wait_for(lambda: self._n_connections >= n_connections)

    async def _hold(self, _: StreamReader, writer: StreamWriter) -> None:
        async with self._changed:
            self._n_connections += 1
            self._changed.notify_all()
        await self._ended.wait()
        writer.close()


def memory_mib(pid: int) -> float:
    """Return how much memory a process holds (its resident set)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("n_running", "body_mib", "most_mib"), [(200, 1, 1200.0), (4, 4, 320.0)])
async def test_memory_is_bounded_by_configuration(
    tmp_path: Path, n_running: int, body_mib: int, most_mib: float
) -> None:
    """200 requests on an upstream that hangs: running ones take a few times their bodies, all others share a budget."""
    body = json.dumps(ask("x" * body_mib * 2**20)).encode()
    config = tmp_path / "config.yaml"
    limits = (
        f"{{max_concurrent_requests: {n_running}, max_queue_wait_s: 600, shutdown_timeout_s: 0.1, "
        "max_body_buffer_mb: 100}"
    )
    async with Silent() as upstream:
        config.write_text(
            f'server: {limits}\nmodels: [{{name: a, base_url: "{upstream.base_url}", max_concurrency: 200}}]\n'
        )
        async with served(config) as (child, gateway), ClientSession(connector=TCPConnector(limit=0)) as session:
            asker = Gateway(gateway.url, session)
            await gateway.request("GET", "/v1/models")
            before = memory_mib(child.pid)
            headers = {"Content-Type": "application/json"}
            asking: list[asyncio.Task[Any]] = []
            for n in range(n_running):  # one after the other: each gives its part of the budget back when it runs
                asking.append(asyncio.create_task(asker.chat(data=BytesIO(body + b" " * n), headers=headers)))
                await upstream.connected(n + 1)
            asking += [
                asyncio.create_task(asker.chat(data=BytesIO(body + b" " * n), headers=headers))
                for n in range(n_running, 200)
            ]
            n_waiting = min(200 - n_running, 100 // body_mib)
            await loaded(gateway, receiving=0, waiting=n_waiting, running=n_running)
            for path in ("/healthz", "/readyz", "/v1/models"):
                assert (await gateway.request("GET", path)).status == 200
            grown = memory_mib(child.pid) - before
            refused = [await task for task in asking if task.done()]
            assert [reply.error["code"] for reply in refused] == ["overloaded"] * (200 - n_running - n_waiting)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
    assert grown < most_mib


def peak_mib(pid: int) -> float:
    """Return the most memory that a process has held since `forget_peak`."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def in_small_messages(n_bytes: int) -> bytes:
    message = b'{"role":"user","content":"x"},'
    return b'{"messages":[' + message * (n_bytes // len(message)) + message[:-1] + b"]}"


def in_tiny_reasoning(n_bytes: int) -> bytes:
    chunk = b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"a"}}]}\n\n'
    end = b'data: {"choices":[{"index":0,"delta":{"content":"fine"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    return chunk * (n_bytes // len(chunk)) + end


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("body", "status", "reply_mib", "most_mib"),
    [
        (in_small_messages(16 << 20), 400, 0, 4 * 16),  # refused before it is decoded
        (in_small_messages(250_000), 200, 0, 4 * 1 + 50),
        (json.dumps(ask("x" * (16 << 20))).encode(), 200, 0, 4 * 16 + 16),
        (json.dumps(ask("q", stream=True)).encode(), 200, 6, 4 * 6 + 16),
        (json.dumps(ask("q")).encode(), 200, 6, 4 * 6 + 16),
    ],
    ids=["many messages", "messages within the limit", "one long text", "tiny chunks", "tiny chunks, whole"],
)
async def test_the_shape_of_a_request_or_reply_takes_no_more_memory(
    upstream: FakeUpstream, tmp_path: Path, body: bytes, status: int, reply_mib: int, most_mib: int
) -> None:
    """The formula of docs/operations.md holds for a thousand small things as for one that is large."""
    stream = raw_reply(in_tiny_reasoning(reply_mib << 20), content_type="text/event-stream")
    upstream.script("a", stream if reply_mib else answer("fine"))
    config = tmp_path / "config.yaml"
    config.write_text(f'models: [{{name: a, base_url: "{upstream.base_url}"}}]\n')
    async with served(config) as (child, gateway):
        assert (await gateway.request("GET", "/v1/models")).status == 200
        before = memory_mib(child.pid)
        forget_peak(child.pid)
        reply = await gateway.chat(data=BytesIO(body), headers={"Content-Type": "application/json"})
        grown = peak_mib(child.pid) - before
    assert reply.status == status
    assert grown < most_mib
