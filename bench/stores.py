"""Prerequisites of a budget: a configuration with prices, and a Redis server."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.processes import BrokenError

_PROGRAMS = ("redis-server", "valkey-server")
_START_TIMEOUT_S = 10.0


def add_budget(config: str, store_url: str | None) -> str:
    """Return the text of bench/config.yaml with prices and a budget of the day that no run uses up."""
    priced = config.replace("max_concurrency: 10000}", "max_concurrency: 10000, price: {input: 0.01, output: 0.01}}")
    limited = priced.replace("server:\n", "server:\n  max_cost_per_day: 1000000\n")
    if priced in (config, limited):
        raise BrokenError("bench/config.yaml has changed: a budget cannot be added to it")
    return limited if store_url is None else f"{limited}\nstore: {{url: '{store_url}'}}\n"


@asynccontextmanager
async def running_redis(folder: Path) -> AsyncGenerator[str]:
    """Run a Redis server that syncs its file every second; yield its URL. Raises BrokenError if none is installed."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        raise BrokenError("needs redis-server or valkey-server, and neither is installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        program,
        *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""),
        *("--appendonly", "yes", "--appendfsync", "everysec"),
        stdout=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            while not await _accepts(port):  # noqa: ASYNC110 -- another process
                await asyncio.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        await process.wait()


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
