"""One llama.cpp child process: starting it, finding its port, forwarding its log, ending it reliably."""

import asyncio
import json
import os
import re
import secrets
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import structlog

from runtime.processes import end_process, start_process

_log = structlog.get_logger(__name__)

PROGRAM = (sys.executable, "-P", str(Path(__file__).with_name("llama_child.py")))
"""The command of the child, by file path: independent of the current folder, and without our modules (-P)."""

_KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "USERPROFILE")
_ADDED_ENVIRONMENT = {"GOMP_SPINCOUNT": "1000"}
_MAX_THREADS = 4
_READY_TIMEOUT_S = 180.0
_EXIT_TIMEOUT_S = 2.0
_MAX_LINE_CHARS = 1000
_LOG_LINE = re.compile(r"[\d.]+ ([A-Z]) (\S+)\s+(.*)")  # 0.01.070.443 I srv    load_model: …
_REQUEST_PARTS = ("slot", "srv")
_HARMLESS = "control-looking token"  # logged for Qwen's own files at each start

_Stream = TypeVar("_Stream", asyncio.StreamReader, asyncio.StreamWriter)


class LaunchError(Exception):
    """The child did not become ready; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Launch:
    """The settings of a child; `context_tokens` applies to each slot."""

    name: str
    path: str
    context_tokens: int
    slots: int
    threads: int


def default_threads() -> int:
    """Return the number of compute threads of a child: the cores that this process may use, at most four.

    Measured on two cores with SmolLM2-135M and Qwen2.5-Coder-0.5B answering together (96 tokens each), then the Qwen
    alone as critic: one thread each took 8.0 + 9.7 s, two threads each 6.2 + 5.4 s. Two threads need
    GOMP_SPINCOUNT=1000: without it the threads of both children spin against each other, and the same two answers take
    124 s; with 0, a child that works alone loses a quarter of its speed.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(cores, _MAX_THREADS)


class LlamaProcess:
    """A child process. Create it with `launch`, and always end it with `close`, even if it has ended by itself."""

    def __init__(self, process: asyncio.subprocess.Process, launch: Launch, api_key: str) -> None:
        self._process = process
        self._launch = launch
        self._first_error = ""
        self._log_reader = asyncio.create_task(self._forward_log())
        self.is_ready = False
        self.api_key = api_key
        self.port = 0

    @classmethod
    async def launch(
        cls,
        launch: Launch,
        *,
        program: Sequence[str] = PROGRAM,
        environ: Mapping[str, str] = MappingProxyType({}),
        ready_timeout_s: float = _READY_TIMEOUT_S,
    ) -> "LlamaProcess":
        """Start a child and return it when it listens on loopback; LaunchError after `ready_timeout_s` seconds.

        It gets only the variables of `environ` that a process needs: no proxies, no keys. Cancellation ends the child.
        """
        process = await start_process(
            *program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={name: environ[name] for name in _KEPT_ENVIRONMENT if name in environ} | _ADDED_ENVIRONMENT,
            start_new_session=True,  # a Ctrl+C in the terminal goes to the gateway alone
        )
        child = cls(process, launch, secrets.token_urlsafe(32))
        try:
            async with asyncio.timeout(ready_timeout_s):
                await child._wait_until_ready()
        except TimeoutError:
            raise LaunchError(f"was not ready within {ready_timeout_s:g} s") from None
        finally:
            if not child.is_ready:
                await child.close()
        return child

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    async def wait_until_ended(self) -> str:
        """Wait until the child ends by itself, and return a description of how it ended."""
        code = await self._process.wait()
        return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"

    async def close(self) -> None:
        """End the child: close its stdin, kill it if that is not enough, and reap it in any case."""
        _require_pipe(self._process.stdin).close()
        try:
            if not await end_process(self._process, _EXIT_TIMEOUT_S):
                _log.warning("embedded model did not end in time and was killed", model=self._launch.name)
        finally:
            self._log_reader.cancel()
            await asyncio.gather(self._log_reader, return_exceptions=True)

    async def _wait_until_ready(self) -> None:
        stdin, stdout = _require_pipe(self._process.stdin), _require_pipe(self._process.stdout)
        settings = asdict(self._launch) | {"api_key": self.api_key}
        stdin.write(json.dumps(settings).encode() + b"\n")
        try:
            await stdin.drain()
            answer = json.loads(await stdout.readline())
            port = answer.get("port")
        except (ConnectionError, ValueError, AttributeError):
            answer, port = {}, None
        if not isinstance(port, int):
            raise LaunchError(await self._find_reason(answer))
        self.port = port
        self.is_ready = True

    async def _find_reason(self, answer: Mapping[str, object]) -> str:
        """Return why the child has no port: its own error and llama.cpp's first one, after its log has ended."""
        await asyncio.wait([self._log_reader], timeout=_EXIT_TIMEOUT_S)
        reasons = (answer.get("error"), self._first_error)
        return "; ".join(str(reason) for reason in reasons if reason) or "ended without a message"

    async def _forward_log(self) -> None:
        log = _log.bind(model=self._launch.name)
        async for line in _read_lines(_require_pipe(self._process.stderr)):
            letter, part, text = match.groups() if (match := _LOG_LINE.match(line)) else ("I", "", line)
            is_about_request = self.is_ready and part in _REQUEST_PARTS  # the call reports and logs it
            if letter not in "EW" or is_about_request or _HARMLESS in text:
                log.debug("llama.cpp output", line=line)
            elif letter == "W":
                log.warning("llama.cpp warning", line=line)
            else:
                log.error("llama.cpp error", line=line)
                self._first_error = self._first_error or f"{part} {text}"


def _require_pipe(stream: _Stream | None) -> _Stream:
    if stream is None:
        raise TypeError("the child was started without pipes")
    return stream


async def _read_lines(reader: asyncio.StreamReader) -> AsyncGenerator[str]:
    """Yield the lines of a log without line ends; a long line is cut."""
    rest = b""
    while data := await reader.read(2**16):
        *complete, rest = (rest + data).split(b"\n")
        for line in complete:
            yield line.decode(errors="replace")[:_MAX_LINE_CHARS]
        rest = rest[: 4 * _MAX_LINE_CHARS]
    if rest:
        yield rest.decode(errors="replace")[:_MAX_LINE_CHARS]
