"""The commands on a real terminal: a pseudo-terminal, as pty(7) has it."""

import asyncio
import os
import pty
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes import FakeUpstream, answer, status
from tests.processes import PATIENCE_S, process, served
from tests.test_gateway import written

COLOUR = re.compile(r"\x1b\[\d+m")


@asynccontextmanager
async def terminal() -> AsyncGenerator[tuple[asyncio.StreamReader, int]]:
    """Give what is written to a terminal, and the end of it that a process gets."""
    ours, theirs = pty.openpty()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", buffering=0)
    )
    try:
        yield reader, theirs
    finally:
        transport.close()


async def line_with(reader: asyncio.StreamReader, words: str) -> str:
    async with asyncio.timeout(PATIENCE_S):
        while words not in (line := (await reader.readline()).decode()):
            assert line, f"the terminal closed without {words!r}"
    return line


@pytest.mark.parametrize("no_color", ["", "1"])
async def test_log_lines_and_answers(upstream: FakeUpstream, tmp_path: Path, no_color: str) -> None:
    """Lines of the log are for people, with causes; answers have no escapes of a model; NO_COLOR takes the colours."""
    upstream.script("a", answer("\x1b[31mOne.\x1b[2J"))
    upstream.script("b", status(400, body={"error": {"message": "no credit"}}))
    env = {"NO_COLOR": no_color, "TERM": "xterm"}
    async with (
        terminal() as (log, log_end),
        terminal() as (screen, screen_end),
        served(written(tmp_path, upstream), stderr=log_end, env=env) as (_, gateway),
        process("ask", "--show", "why", stdout=screen_end, env={**env, "MOM_URL": gateway.url}) as child,
    ):
        os.close(log_end)
        os.close(screen_end)
        cause = await line_with(screen, "no credit")
        text = await line_with(screen, "One.")
        assert await asyncio.wait_for(child.wait(), PATIENCE_S) == 0
        logged = await line_with(log, "no credit")
    assert "[31mOne.[2J" in text
    assert "\x1b[31mOne" not in text
    shown = COLOUR.sub("", logged).strip()
    assert re.fullmatch(r"\d\d:\d\d:\d\d  200  mom  \d+\.\d s  1/2 answered  a \(only candidate\)  .*", shown)
    assert shown.endswith("b: rejected: no credit")
    for line in (cause, logged):
        assert bool(COLOUR.search(line)) is not bool(no_color)
