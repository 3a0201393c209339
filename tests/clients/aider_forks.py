"""Runs of aider that share its imports, which take most of its time: a process forks for each."""

import asyncio
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE, Popen

from tests.clients.processes import TIME_S, Ended, end_group, environment, program

_DRIVER = Path(__file__).parent / "drivers" / "aider_forks.py"


class AiderForks:
    """Runs aider in forks of one process, one after the other; the process starts with the first run."""

    def __init__(self) -> None:
        self._process: Popen[str] | None = None

    async def run(self, *options: str, home: Path, **env: str) -> Ended:
        """Run aider in the folder `home`, which is also its home, until it ends; nothing of it outlives the call."""
        process = self._process = self._process or self._start(home)
        try:
            async with asyncio.timeout(TIME_S):
                return await asyncio.to_thread(_run, process, options, home, env)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process, and with it the run that is not over."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _start(self, home: Path) -> "Popen[str]":
        command = (program("aider"), str(_DRIVER))
        return Popen(command, env=environment(home, {}), stdin=PIPE, stdout=PIPE, stderr=subprocess.DEVNULL, text=True)


def _run(process: "Popen[str]", options: Sequence[str], home: Path, env: dict[str, str]) -> Ended:
    assert process.stdin is not None
    assert process.stdout is not None
    stdout, stderr = home.with_name(f"{home.name}.stdout"), home.with_name(f"{home.name}.stderr")
    task = {
        "argv": options,
        "cwd": str(home),
        "env": environment(home, env),
        "stdout": str(stdout),
        "stderr": str(stderr),
    }
    process.stdin.write(json.dumps(task) + "\n")
    process.stdin.flush()
    leader = int(process.stdout.readline())
    try:
        code = int(process.stdout.readline())
    finally:
        end_group(leader)
    return Ended(code, stdout.read_text(encoding="utf-8"), stderr.read_text(encoding="utf-8"))
