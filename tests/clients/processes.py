"""A client as it comes from its registry, run as a child process that can reach nothing but this machine."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

INSTALLED = Path(__file__).parents[2] / ".venvs"
TIME_S = 150.0  # far above what any client takes, so that a client that hangs fails its test and ends
_NOWHERE = "http://127.0.0.1:9"  # a proxy that refuses, so that every connection to elsewhere fails at once


@dataclass(frozen=True, slots=True)
class Ended:
    """A client's run, read to its end."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """What was printed, as JSON."""
        assert self.code == 0, self.stderr or self.stdout
        return json.loads(self.stdout)


def folder_of(client: str) -> Path:
    """Return the folder in which `make clients` installed a client; skip the test if it is missing, or fail."""
    folder = INSTALLED / client
    if not (folder / ".installed").exists():
        reason = f"{client} is not installed; `make clients` does that"
        if client in os.environ.get("CLIENTS_REQUIRED", "").split():
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def program(client: str, name: str = "python") -> str:
    """Return the path of a program in a client's venv."""
    return str(folder_of(client) / "bin" / name)


def node_program(client: str, name: str) -> str:
    """Return the path of a program that npm has installed."""
    return str(folder_of(client) / "node_modules" / ".bin" / name)


async def run(*command: str | Path, home: Path, stdin: int = asyncio.subprocess.DEVNULL, **env: str) -> Ended:
    """Run a client with the home and current folder `home` until it ends; no process of it outlives the call."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=home,
        env=environment(home, env),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(TIME_S):
            stdout, stderr = await process.communicate()
    finally:
        end_group(process.pid)
        await process.wait()
    assert process.returncode is not None
    return Ended(process.returncode, stdout.decode(), stderr.decode())


def environment(home: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Return a client's environment: its home, `env`, and no way out of this machine."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "http_proxy": _NOWHERE,
        "https_proxy": _NOWHERE,
        "no_proxy": "127.0.0.1,localhost",
        **env,
    }


def end_group(leader: int) -> None:
    """Kill what is left of a group of processes."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return  # the usual case: all have ended
