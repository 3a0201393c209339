"""`make dev`: the gateway while its code is changed."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.copied import SourceCopy, copy_sources
from tests.processes import PATIENCE_S

CONFIG = """
models:
  - {name: a, base_url: "http://127.0.0.1:9/v1"}
mixtures:
  - {name: mom, panel: [a], critic: none}
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
async def test_a_change_of_the_code_is_served(tmp_path: Path) -> None:
    """The command of the Makefile starts the gateway again, and Ctrl-C ends both."""
    copy = await asyncio.to_thread(copy_sources, tmp_path)
    (copy.root / "config.yaml").write_text(CONFIG, encoding="utf-8")
    command = await asyncio.to_thread(_read_command, copy)
    child = await asyncio.create_subprocess_exec(
        *shlex.split(command), cwd=copy.root, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, start_new_session=True
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S), ClientSession() as session:
            assert "ok" in await _ask_health(session, child.stdout)
            copy.edit("handlers/api/about/health.py", '{"status": "ok"}', '{"status": "changed"}')
            assert "changed" in await _ask_health(session, child.stdout)
            os.killpg(child.pid, signal.SIGINT)
            await child.wait()
    finally:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)
            await child.wait()


def _read_command(copy: SourceCopy) -> str:
    """Return what `make dev` would run, with the packages of this environment."""
    environment = Path(sys.executable).parent.parent
    make = (
        "make",
        "--no-print-directory",
        "--dry-run",
        f"--old-file={environment}/.dev",
        "dev",
        f"VENV={environment}",
        "ARGS=--port 0",
    )
    return subprocess.run(make, cwd=copy.root, capture_output=True, text=True, check=True).stdout


async def _ask_health(session: ClientSession, output: asyncio.StreamReader) -> str:
    """Return the health of the gateway whose banner is the next."""
    while (found := re.search(r"Gateway on (http://[\d.]+:\d+)", (await output.readline()).decode())) is None:
        pass
    async with session.get(f"{found[1]}/healthz") as reply:
        return await reply.text()
