"""Errors of the event loop in the log."""

import asyncio
import errno
import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout
from aiohttp.http_exceptions import BadHttpMessage
from structlog.testing import capture_logs

from handlers.telemetry.loop_errors import LoopErrors
from tests.fakes import FakeUpstream
from tests.processes import PATIENCE_S, served
from tests.running import Gateway

NO_FILES = OSError(errno.EMFILE, "Too many open files")


async def test_a_flood_is_one_line() -> None:
    """A thousand failed accepts are one line with their reason and without a traceback."""
    loop = asyncio.get_running_loop()
    errors = LoopErrors(loop)
    with capture_logs() as log:
        for _ in range(1000):
            errors(loop, {"message": "socket.accept() out of system resource", "exception": NO_FILES})
    errors.close()
    (line,) = log
    assert (line["event"], line["reason"], line["count"]) == ("event loop error", "Too many open files", 1)
    assert "exc_info" not in line


async def test_a_fault_of_our_own_keeps_its_traceback() -> None:
    """One that a client's bytes caused has neither those bytes nor a traceback, which would show them."""
    loop = asyncio.get_running_loop()
    errors = LoopErrors(loop)
    ours, theirs = RuntimeError("a bug"), BadHttpMessage("Invalid header: sk-canary")
    with capture_logs() as log:
        errors(loop, {"message": "Task exception was never retrieved", "exception": ours})
        errors(loop, {"message": "Fatal error: protocol.data_received() call failed.", "exception": theirs})
        errors(loop, {"message": "something else"})
    errors.close()
    assert [line.get("exc_info") for line in log] == [ours, None, None]
    assert "sk-canary" not in repr(log)


async def serves(gateway: Gateway) -> bool:
    try:
        return (await gateway.request("GET", "/healthz", timeout=ClientTimeout(1))).status == 200
    except (ClientError, TimeoutError):
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="limits a running process")
async def test_a_gateway_without_descriptors_stays_quiet_and_recovers(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Idle connections make room for new ones, and those that cannot be accepted cost a few lines."""
    config = tmp_path / "config.yaml"
    config.write_text(f'models: [{{name: a, base_url: "{upstream.base_url}"}}]\n')
    async with served(config) as (child, gateway):
        assert (await gateway.chat()).status == 200
        n_open = len(await asyncio.to_thread(os.listdir, f"/proc/{child.pid}/fd"))
        resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (n_open + 5, n_open + 5))
        host, port = gateway.url.removeprefix("http://").split(":")
        held = [socket.create_connection((host, int(port))) for _ in range(60)]
        async with asyncio.timeout(PATIENCE_S), ClientSession() as session:
            other = Gateway(gateway.url, session)  # not on a connection that is kept alive
            while not await serves(other):  # noqa: ASYNC110 -- it is asked
                await asyncio.sleep(0.1)
        for each in held:
            each.close()
        assert child.stderr is not None
        child.send_signal(signal.SIGTERM)
        written = (await asyncio.wait_for(child.stderr.read(), PATIENCE_S)).decode()
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    assert any("out of system resource" in line.get("kind", "") for line in lines)
    assert len(written) < 20_000
    assert written.count("Traceback") <= 1  # asyncio may try to accept once more on the socket that was closed
