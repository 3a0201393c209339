"""Running code that nobody has read, in a child process that can do no harm.

On Linux it has namespaces of its own: no network, no other process in sight, no file to write but in a small folder
in memory, no privileges. Everywhere it has limits of processor time, memory, files and processes, an empty
environment, no site packages, and an end.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from eval.items import Program

_HERE = Path(__file__).parent
_NOBODY = 65534
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_PYTHON = Path(sys.executable).resolve()
_PREFIX = Path(sys.base_prefix).resolve()


class Verdict(StrEnum):
    """How a program ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"


class Isolation(StrEnum):
    """What keeps a program from the rest of the machine."""

    NAMESPACES = "namespaces: no network, read-only files"
    LIMITS = "limits alone: this system gives no namespaces, so network and files are open"


@dataclass(frozen=True, slots=True)
class Limits:
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


class SandboxError(Exception):
    """The sandbox itself could not be set up."""


def run(program: Program, limits: Limits | None = None) -> Verdict:
    """Return how a program ends: passed where its main file runs to its end. Blocks; SandboxError where it can't start.

    No process of it is left when this returns, but where there are limits alone: there, one that has left its
    session lives on until its processor time is over.
    """
    return _run(program, limits or Limits(), isolation())


@cache
def isolation() -> Isolation:
    """Return what this system has to offer, found out by trying."""
    if which("unshare", path=_PATH) and which("setpriv", path=_PATH) and _PYTHON.is_relative_to(_PREFIX):
        try:
            _run(Program({"main.py": ""}, "main.py"), Limits(), Isolation.NAMESPACES)
        except SandboxError:
            return Isolation.LIMITS
        return Isolation.NAMESPACES
    return Isolation.LIMITS


def _run(program: Program, limits: Limits, isolated: Isolation) -> Verdict:
    word = secrets.token_hex(16)
    task = {"files": program.files, "main": program.main, "limits": limits.by_name(), "word": word}
    with TemporaryDirectory() as folder:
        child = subprocess.Popen(  # noqa: S603 -- the command is ours; what it runs is why all this is here
            _command(folder, isolated),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={"PATH": _PATH},
            start_new_session=True,
        )
        try:
            said, complaint = child.communicate(json.dumps(task).encode(), limits.wall_s)
        except subprocess.TimeoutExpired:
            return Verdict.TIMEOUT
        finally:
            _end(child)
    if not said.startswith(b"ready\n"):
        raise SandboxError(complaint.decode(errors="replace")[-400:])
    return Verdict.PASSED if child.returncode == 0 and said == b"ready\n" + word.encode() else Verdict.FAILED


def _end(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it has ended, and so has all of its group
    finally:
        child.communicate()


def _command(folder: str, isolated: Isolation) -> list[str]:
    inside = ["-I", "-S", "-c", (_HERE / "sandboxed.py").read_text(encoding="utf-8")]
    if isolated is Isolation.LIMITS:
        return [str(_PYTHON), *inside]
    # Root's processes are not counted against any limit, so root becomes nobody; others are root of their own users.
    root = os.geteuid() == 0
    spaces = ["--net", "--pid", "--ipc", "--uts", "--mount", *([] if root else ["--user", "--map-root-user"])]
    script = (_HERE / "sandbox.sh").read_text(encoding="utf-8")
    python = [str(_PREFIX), str(_PYTHON.relative_to(_PREFIX))]
    shell = ["/bin/sh", "-c", script, "sandbox", folder, str(_NOBODY) if root else "", *python]
    return ["unshare", *spaces, "--fork", "--kill-child", *shell, *inside]
