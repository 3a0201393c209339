"""Running the application: its socket, its signals, and its background tasks."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientSession, web

from config.settings import Server
from gateway import make_app
from handlers.errors import StartError
from handlers.lifecycle.serve import Signals, listening, run_beside
from tests.running import model, settings


@pytest.fixture
def handlers() -> Iterator[None]:
    """Restore the test runner's signal handlers."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def _app(server: Server) -> web.Application:
    return make_app(settings([model("a", "http://127.0.0.1:9/v1")], server=server), models_dir=Path("unused"))


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_stop_is_an_event(number: signal.Signals) -> None:
    """A second one has its default effect again."""
    signals = Signals()
    with signals.handled():
        os.kill(os.getpid(), number)
        await asyncio.wait_for(signals.stop.wait(), 60)
        assert signal.getsignal(signal.SIGINT) is signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert not signals.hangup.is_set()


@pytest.mark.usefixtures("handlers")
async def test_a_hangup_is_a_wish_to_reload() -> None:
    """As long as there is a terminal, or never was one."""
    signals = Signals()
    with signals.handled():
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.wait_for(signals.hangup.wait(), 60)
    assert not signals.stop.is_set()


async def test_the_application_is_served_inside_the_block() -> None:
    """At the port that the system chose; afterwards nothing listens."""
    server = Server(port=0)
    async with ClientSession() as session:
        async with listening(_app(server), server) as port, session.get(f"http://127.0.0.1:{port}/healthz") as reply:
            assert reply.status == 200
        with pytest.raises(ClientConnectionError):
            await session.get(f"http://127.0.0.1:{port}/healthz")


async def test_a_taken_port_is_an_error_with_a_remedy() -> None:
    """It names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Server(port=taken.getsockname()[1])
        with pytest.raises(StartError, match=rf"cannot listen on 127\.0\.0\.1:{server.port}: .*choose another port"):
            async with listening(_app(server), server):
                raise AssertionError("it must not begin")


async def test_an_address_of_another_machine_is_an_error_with_a_remedy() -> None:
    """192.0.2.1 is nobody's (RFC 5737)."""
    server = Server(host="192.0.2.1", port=0)
    with pytest.raises(StartError, match=r"cannot listen on 192\.0\.2\.1:0: .*; see server\.host and --host"):
        async with listening(_app(server), server):
            raise AssertionError("it must not begin")


async def test_tasks_beside_the_block_end_with_it() -> None:
    """Cancelled, and waited for."""
    ended: list[str] = []

    async def watch(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    async with run_beside(watch("a"), watch("b")):
        await asyncio.sleep(0)
        assert ended == []
    assert ended == ["a", "b"]


async def test_a_failure_beside_is_raised_at_the_end() -> None:
    """It is not lost, and does not interrupt the block."""

    async def fail() -> None:
        raise OSError("no such folder")

    steps: list[str] = []

    async def serve() -> None:
        async with run_beside(fail()):
            await asyncio.sleep(0)
            steps.append("served")

    with pytest.raises(OSError, match="no such folder"):
        await serve()
    assert steps == ["served"]
