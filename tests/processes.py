"""The gateway as a process, which ends with its test."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import ClientSession

from tests.running import KEY, Gateway

ROOT = Path(__file__).parent.parent
PATIENCE_S = 60.0
CHECKOUT = (sys.executable, str(ROOT / "gateway.py"))


@asynccontextmanager
async def process(
    *arguments: str,
    env: dict[str, str] | None = None,
    stdin: int = DEVNULL,
    cwd: Path | None = None,
    stdout: int = PIPE,
    stderr: int = PIPE,
    program: Sequence[str] = CHECKOUT,
) -> AsyncGenerator[Process]:
    """Run `gateway.py`, or another `program`, with these arguments; leaving the block kills it if it still runs.

    Unless `env` says otherwise, it has a store of its own.
    """
    with TemporaryDirectory() as state:
        child = await asyncio.create_subprocess_exec(
            *program,
            *arguments,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, "MOM_STATE_DIR": state, **(env or {})},
            cwd=cwd,
        )
        try:
            yield child
        finally:
            if child.returncode is None:
                child.kill()
            await child.communicate()


@asynccontextmanager
async def served(
    config: Path, *arguments: str, env: dict[str, str] | None = None, **options: Any
) -> AsyncGenerator[tuple[Process, Gateway]]:
    """Run the gateway at a port of its own, and give it with a client; `options` are those of `process`."""
    arguments = ("--config", str(config), "--port", "0", *arguments)
    async with process(*arguments, env={"FAKE_API_KEY": KEY, **(env or {})}, **options) as child:
        assert child.stdout is not None
        first = (await asyncio.wait_for(child.stdout.readline(), PATIENCE_S)).decode()
        found = re.search(r"http://[\d.]+:\d+", first)
        assert found, first
        async with ClientSession() as session:
            yield child, Gateway(found[0], session)


async def logged(child: Process, event: str) -> str:
    """Return the next line of the log that holds this text. Raises TimeoutError rather than hang."""
    assert child.stderr is not None
    async with asyncio.timeout(PATIENCE_S):
        while line := (await child.stderr.readline()).decode():
            if event in line:
                return line
    raise AssertionError(f"the log ended without {event!r}")


async def loaded(gateway: Gateway, **load: int) -> None:
    """Wait until so many requests are `running`, or `waiting` for their place."""
    async with asyncio.timeout(PATIENCE_S):
        while not load.items() <= (await gateway.request("GET", "/readyz")).json["requests"].items():  # noqa: ASYNC110 -- asked
            await asyncio.sleep(0.01)
