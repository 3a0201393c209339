"""A test's own Redis server, on a free port and in a temporary folder; it ends with the test."""

import asyncio
import os
import shutil
import signal
import socket
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from typing import Self

import pytest

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")
REQUIRED = os.environ.get("STORE_REQUIRED") == "1"
PATIENCE_S = 20.0


_PORTS = range(10_000, 32_000)


def find_free_port() -> int:
    """Return a port that is free now, and that the system gives to nobody else while no server listens there.

    It lies below the range from which the system serves connections and servers that accept any port. The number is
    not from `random`, which all workers seed alike.
    """
    while True:
        port = SystemRandom().choice(_PORTS)
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


class RedisServer:
    """A server that keeps each write in a file before it replies, so that it forgets nothing when it is killed."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._process: Process | None = None
        self.port = find_free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def start(self) -> None:
        """Start it, and return when it answers."""
        if PROGRAM is None:
            if REQUIRED:
                pytest.fail("neither redis-server nor valkey-server is installed, and STORE_REQUIRED=1")
            pytest.skip("needs redis-server (apt-get install redis-server) or valkey-server")
        self._process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""),
            *("--appendonly", "yes", "--appendfsync", "always", *self._options),
            stdout=DEVNULL,
        )
        async with asyncio.timeout(PATIENCE_S):
            while not await self._answers():
                assert self._process.returncode is None, "redis-server ended at once"
                await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    def pause(self) -> None:
        """Stop its replies; its connections stay."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it reply again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.write(b"PING\r\n")
        reply = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return reply.startswith((b"+PONG", b"-NOAUTH"))
