"""Run trials in CPython inside Linux namespaces: one sandbox for each request, one fork for each trial.

Starting the namespaces takes about 0.15 s of the processor, a fork about 2 ms. It never runs under the kernel's limits
alone: a system without namespaces gets a SandboxError when the sandbox is made.
"""

import asyncio
import json
import os
import secrets
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runtime.processes import start_process
from runtime.sandbox.namespaces import PATH, Isolation, command, isolation
from runtime.sandbox.trials import (
    LOADED,
    Kind,
    Limits,
    Observation,
    Report,
    SandboxError,
    Trial,
    call_of,
    cut,
    failure,
    fill,
    prelude,
    unknown,
)

NAME = "namespaces"

_CHILD = Path(__file__).with_name("forks_child.py")
_START_S = 10.0
_MAX_LINE_BYTES = 2**16
_FILE_BYTES = 2**20
_OPEN_FILES = 32
_PROCESSES = 32
_INTERPRETER_BYTES = 128 * 2**20


class ForkSandbox:
    """Makes a sandbox for each session. Raises SandboxError if this system has no usable namespaces.

    The first instance blocks for a few tenths of a second to check that.
    """

    name = NAME

    def __init__(self) -> None:
        if isolation() is not Isolation.NAMESPACES:
            raise SandboxError(
                "this system has no usable namespaces (Linux, unshare and setpriv, as root or with user namespaces), "
                "and code is not run without: use monty alone"
            )
        self._sessions: set[_Session] = set()

    @asynccontextmanager
    async def session(self) -> AsyncGenerator["_Session"]:
        """Return a session, whose sandbox starts with its first trial and ends with the context."""
        session = _Session()
        self._sessions.add(session)
        try:
            yield session
        finally:
            self._sessions.discard(session)
            await session.close()

    async def close(self) -> None:
        """End the sandboxes of all sessions."""
        for session in tuple(self._sessions):
            await session.close()


class _Session:
    """One sandbox, whose trials run one after the other; restarted if it has ended."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._folder: TemporaryDirectory[str] | None = None
        self._turn = asyncio.Lock()

    async def observe(self, trial: Trial, limits: Limits) -> Report:
        """Return what a trial shows. Raises SandboxError if the sandbox cannot be started."""
        async with self._turn:
            try:
                process = self._process or await self._start()
                lines = await self._ask(process, _encode_trial(trial, limits), limits)
            except BaseException:  # also if cancelled: a late observation would be taken for another trial's
                await self._end()
                raise
            if lines is None:
                await self._end()
                return Report(unknown("the sandbox has ended"))
        return _build_report(lines, len(trial.checks))

    async def close(self) -> None:
        """End the sandbox."""
        await self._end()

    async def _start(self) -> asyncio.subprocess.Process:
        self._folder = TemporaryDirectory(prefix="mom-sandbox-")
        self._process = await start_process(
            *command(_CHILD.read_text(encoding="utf-8"), self._folder.name, Isolation.NAMESPACES),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=self._folder.name,
            env={"PATH": PATH},
            start_new_session=True,
            limit=_MAX_LINE_BYTES,
        )
        try:
            async with asyncio.timeout(_START_S):
                ready = await _pipe(self._process.stdout).readline()
        except (TimeoutError, ValueError):
            ready = b""
        if ready != b"ready\n":
            raise SandboxError("the namespaces cannot be made")
        return self._process

    async def _ask(
        self, process: asyncio.subprocess.Process, task: dict[str, Any], limits: Limits
    ) -> list[bytes] | None:
        """Return the lines of one trial, or None if the sandbox ends or is silent for too long."""
        stdin, stdout = _pipe(process.stdin), _pipe(process.stdout)
        lines: list[bytes] = []
        try:
            stdin.write(json.dumps(task).encode() + b"\n")
            async with asyncio.timeout(limits.trial_s + 2 * limits.step_s + _START_S):
                await stdin.drain()
                while (line := await stdout.readline()).endswith(b"\n"):
                    if line == b"\n":
                        return lines
                    lines.append(line)
        except (TimeoutError, ValueError, ConnectionError):
            return None
        return None

    async def _end(self) -> None:
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # the group, which has process 1 of the namespaces
            await process.wait()
        if folder is not None:
            folder.cleanup()


def _pipe(stream: Any) -> Any:
    assert stream is not None  # noqa: S101 -- the process is started with pipes
    return stream


def _encode_trial(trial: Trial, limits: Limits) -> dict[str, Any]:
    look = f"look_{secrets.token_hex(8)}"
    return {
        "prelude": prelude(look),
        "source": trial.source,
        "files": dict(trial.files),
        "checks": [[check.setup, call_of(look, check)] for check in trial.checks],
        "step_s": limits.step_s,
        "trial_s": limits.trial_s,
        "limits": {
            "RLIMIT_CPU": max(1, round(limits.trial_s + 1)),
            "RLIMIT_AS": _INTERPRETER_BYTES + limits.memory_bytes,
            "RLIMIT_FSIZE": _FILE_BYTES,
            "RLIMIT_NOFILE": _OPEN_FILES,
            "RLIMIT_NPROC": _PROCESSES,
            "RLIMIT_CORE": 0,
        },
    }


def _build_report(lines: list[bytes], n_checks: int) -> Report:
    observations = [_read_observation(line) for line in lines[: n_checks + 1]]
    if not observations:
        return Report(unknown("its process has ended"))
    loaded, *checks = observations
    if loaded.kind is not Kind.VALUE:
        return Report(loaded)
    return Report(LOADED, fill(checks, n_checks, "its process has ended, or its time"))


def _read_observation(line: bytes) -> Observation:
    """Read one line. Untrusted: the code under test may have written it, but only in its own favour."""
    try:
        kind, equal, shown, error, message = json.loads(line)
        if kind == "error":
            return failure(str(error), str(message))
        if kind == "value" and equal in (True, False, None) and isinstance(shown, str):
            return Observation(Kind.VALUE, equal, cut(shown))
        return unknown(str(message))
    except (ValueError, TypeError, RecursionError):
        return unknown("its report cannot be read")
