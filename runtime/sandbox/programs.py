"""Run a whole program in a sandboxed child process, and report whether it runs to its end.

On a system without usable namespaces it runs under the kernel's limits alone, which hide neither files nor network:
acceptable for `make eval`, which the operator starts, and never used for a request (see `forks`).
"""

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

from runtime.sandbox.namespaces import PATH, command, isolation
from runtime.sandbox.trials import SandboxError

_CHILD = Path(__file__).with_name("program_child.py")
_MAX_WORDS_BYTES = 1000


@dataclass(frozen=True, slots=True)
class Program:
    """Files by relative path, and the one among them that is run."""

    files: Mapping[str, str]
    main: str


class Verdict(StrEnum):
    """How a program ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class ProgramLimits:
    """What a program may use: seconds on the clock and of the processor, bytes, counts."""

    wall_s: float = 10.0
    cpu_s: int = 10
    memory: int = 512 * 2**20
    file_size: int = 2**20
    open_files: int = 32
    processes: int = 32

    def by_name(self) -> dict[str, int]:
        """Return the limits that the kernel holds, by the names of Python's `resource`."""
        return {
            "RLIMIT_CPU": self.cpu_s,
            "RLIMIT_AS": self.memory,
            "RLIMIT_FSIZE": self.file_size,
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_NPROC": self.processes,
            "RLIMIT_CORE": 0,
        }


def run(program: Program, limits: ProgramLimits | None = None) -> Verdict:
    """Run a program and return its verdict: passed if its main file runs to its end. Blocks.

    All of its processes have ended when this returns, except under limits alone: there, one that has left its session
    lives on until its processor time is over. Raises SandboxError if the program cannot be started.
    """
    limits = limits or ProgramLimits()
    word = secrets.token_hex(16)
    task = {"files": program.files, "main": program.main, "limits": limits.by_name(), "word": word}
    # The child's output goes to unnamed files: RLIMIT_FSIZE bounds them, and no reader has to keep up with a flood.
    with TemporaryDirectory() as folder, TemporaryFile() as said, TemporaryFile() as complaint:
        child = subprocess.Popen(  # noqa: S603 -- the command is ours; what it runs is why all this is here
            command(_CHILD.read_text(encoding="utf-8"), folder, isolation()),
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=complaint,
            cwd=folder,
            env={"PATH": PATH},
            start_new_session=True,
        )
        try:
            child.communicate(json.dumps(task).encode(), limits.wall_s)
        except subprocess.TimeoutExpired:
            return Verdict.TIMEOUT
        finally:
            _end(child)
        words = _read_start(said)
        if not words.startswith(b"ready\n"):
            raise SandboxError(_read_start(complaint).decode(errors="replace"))
    return Verdict.PASSED if child.returncode == 0 and words == b"ready\n" + word.encode() else Verdict.FAILED


def _read_start(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read(_MAX_WORDS_BYTES)


def _end(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it has ended, and so has all of its group
    finally:
        child.communicate()
