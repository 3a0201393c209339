"""The processes under test: start them, pin them to a core, observe them from outside, end them."""

import asyncio
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
_URL = re.compile(r"http://127\.0\.0\.1:\d+")
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 15.0
_COUNTING = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
_REPEATABLE = {"PYTHONHASHSEED": "1"}  # the same dictionaries each time
_COUNTED = re.compile(r"Collected : (\d+)")
_TIMES_SLOWER = 10  # at least


class BrokenError(Exception):
    """A subject does not work, so that its figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its address without a path, its process, and the time of its start."""

    url: str
    process: subprocess.Popen[str]
    started_ns: int
    log: Path

    def cpu_s(self) -> float:
        """Return the CPU time that all threads of the process have used (Linux: /proc, by the scheduler's clock)."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    def rss_mb(self) -> float:
        """Return the resident memory of the process, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else 0.0

    def instructions(self) -> int:
        """Return the number of instructions of a process that ran under valgrind and has ended."""
        found = _COUNTED.findall(self.log.read_text())
        if not found:
            raise BrokenError("callgrind has printed no count")
        return int(found[-1])


@asynccontextmanager
async def running(
    arguments: Sequence[str],
    log: Path,
    *,
    core: int | None,
    env: Mapping[str, str] | None = None,
    counted: bool = False,
) -> AsyncGenerator[Server]:
    """Run a Python program that prints its URL on stdout, with stderr in `log`; end it afterwards.

    It is pinned to `core`, unless that is None. With `counted`, valgrind counts its instructions. BrokenError, with the
    log, if it does not start.
    """
    if counted and shutil.which(_COUNTING[0]) is None:
        raise BrokenError("counting instructions needs valgrind, which is not installed")
    patience = _TIMES_SLOWER if counted else 1
    started_ns = time.monotonic_ns()
    with log.open("w") as stderr:
        process = subprocess.Popen(  # noqa: ASYNC220, S603 -- our own programs; starting takes a millisecond
            [*(_COUNTING if counted else ()), sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=ROOT,
            env={**os.environ, **(env or {}), **(_REPEATABLE if counted else {})},
        )
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        yield Server(await _read_url(process, log, _START_TIMEOUT_S * patience), process, started_ns, log)
    finally:
        await asyncio.to_thread(_end, process, _STOP_TIMEOUT_S * patience)


async def _read_url(process: subprocess.Popen[str], log: Path, within_s: float) -> str:
    if process.stdout is None:
        raise RuntimeError("stdout is not piped")
    line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), within_s)
    found = _URL.search(line)
    if found is None:
        raise BrokenError(f"{process.args!r} did not start:\n{await asyncio.to_thread(log.read_text)}")
    return found[0]


def _end(process: subprocess.Popen[str], within_s: float) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def raise_descriptor_limit() -> int:
    """Raise the limit of open files to the maximum, also for child processes; return it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
