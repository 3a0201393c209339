"""Run the operator's command in a throw-away copy of a work tree, with some files replaced.

The work tree itself is only read. The command gets the environment that it is given and nothing else, a process group
of its own, and, if isolated, Linux namespaces: no network, and a machine that is read-only except for the copy.
"""

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from runtime.frozen import frozen
from runtime.processes import start_process
from runtime.sandbox.local_sockets import list_sockets
from runtime.sandbox.namespaces import PATH, Isolation, filtering, isolation
from runtime.sandbox.trials import SandboxError
from runtime.sandbox.work_tree import copy_work_tree

MAX_OUTPUT_CHARS = 4000
"""How much of a command's output is kept, from its end."""

_SCRIPT = Path(__file__).with_name("commands.sh")
_CANNOT_ISOLATE = 125
_CANNOT_START = (126, 127)  # by setpriv: the command is not there, or cannot be executed
_LAST_OUTPUT_S = 0.5  # for what still is in the pipe once the command has ended
_COLOR = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")
_READ_BYTES = 2**16


@frozen
class Command:
    """A command with its arguments, the work tree that it is for, its environment, and its time in seconds."""

    workdir: Path
    argv: tuple[str, ...]
    timeout_s: float
    env: tuple[tuple[str, str], ...] = ()
    isolate: bool = True


@frozen
class Finished:
    """How a command ended: its exit code, or None if its time was over, and the end of its output."""

    exit_code: int | None
    output: str


async def run_in_copy(command: Command, files: Mapping[str, str | None]) -> Finished:
    """Run a command in a copy of its work tree with `files` in it, by relative path; None removes one.

    Copying counts as part of the command's time. All of its processes have ended when this returns or is cancelled.
    Raises SandboxError if the copy cannot be made, or if the command must be isolated and cannot be.
    """
    if command.isolate and await asyncio.to_thread(isolation) is not Isolation.NAMESPACES:
        raise SandboxError("this system has no usable namespaces; set `isolate: false` to run the checker without them")
    with TemporaryDirectory(prefix="mom-checker-") as folder:
        started = time.monotonic()
        copy = await asyncio.to_thread(copy_work_tree, command.workdir, Path(folder), files)
        sockets = await asyncio.to_thread(list_sockets) if command.isolate else []
        return await _run(command, copy, sockets, command.timeout_s - (time.monotonic() - started))


async def _run(command: Command, copy: Path, sockets: Sequence[str], timeout_s: float) -> Finished:
    argv: Sequence[str] = command.argv
    if command.isolate:
        spaces = [
            "--net",
            "--pid",
            "--ipc",
            "--uts",
            "--mount",
            *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]),
        ]
        covered = [path for path in sockets if not path.startswith("/tmp/")]  # noqa: S108 -- the folder is new
        shell = ["/bin/sh", "-c", _SCRIPT.read_text(encoding="utf-8"), "checker", str(copy), *covered, "--"]
        # The interpreter that installs the filter sets a variable of its own (PEP 538).
        unset = [] if "LC_CTYPE" in dict(command.env) else ["env", "-u", "LC_CTYPE"]
        inside = [*filtering(for_code=False), *unset, *command.argv]
        shell += [*map(str, _programs_below_tmp([inside[0], *command.argv])), "--"]
        argv = ["unshare", *spaces, "--fork", "--kill-child", *shell, *inside]
    tail = bytearray()
    async with _collect_output(tail) as output:
        try:
            process = await start_process(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=copy,
                env={"PATH": PATH, **dict(command.env)},
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxError(f"the checker's command cannot be started: {error}") from error
        finally:
            os.close(output)
        code = await _wait(process, timeout_s)
    if command.isolate and code in (_CANNOT_ISOLATE, *_CANNOT_START):
        raise SandboxError(f"the checker's command does not start in isolation: {_decode(tail)[-200:]}")
    return Finished(code, _decode(tail))


def _programs_below_tmp(argv: Sequence[str]) -> list[Path]:
    """Return the folders below /tmp of the programs that a command names, whole virtual environments among them.

    /tmp is new for the command, but a command that lives there must still be found.
    """
    found: dict[Path, None] = {}
    for word in argv:
        path = Path(word)
        if path.is_absolute() and path.is_relative_to("/tmp") and path.exists():  # noqa: S108 -- what is covered
            folder = path if path.is_dir() else path.parent
            found[folder.parent if (folder.parent / "pyvenv.cfg").exists() else folder] = None
    outer = [folder for folder in found if not any(other in folder.parents for other in found)]
    return [folder for folder in outer if folder != Path("/tmp")]  # noqa: S108


async def _wait(process: asyncio.subprocess.Process, timeout_s: float) -> int | None:
    """Return the exit code of a process, or None if its time is over; then, or if cancelled, it is killed."""
    try:
        async with asyncio.timeout(timeout_s):
            return await process.wait()
    except TimeoutError:
        return None
    finally:
        await _end(process)


# Strategy. The end of a command is the end of its process, not of its output: something that it has started in the
# background may hold the pipe open. asyncio's own pipes cannot be used then, as `wait()` waits for their end too.
@asynccontextmanager
async def _collect_output(tail: bytearray) -> AsyncGenerator[int]:
    """Give the descriptor of a pipe, which the block closes; keep the last part of what is written into it."""
    source, output = os.pipe()
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(source, "rb", 0)
    )
    reading = asyncio.create_task(_read_tail(stream, tail))
    try:
        yield output
        await asyncio.wait([reading], timeout=_LAST_OUTPUT_S)
    finally:
        reading.cancel()
        transport.close()


async def _read_tail(stream: asyncio.StreamReader, tail: bytearray) -> None:
    """Read the output to its end, and keep its last part: a flood costs no memory."""
    while data := await stream.read(_READ_BYTES):
        tail += data
        del tail[: -4 * MAX_OUTPUT_CHARS]


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill whatever is left of the group; a process that has left it ends with its namespace, if it is isolated."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _decode(tail: bytearray) -> str:
    return _COLOR.sub("", tail.decode(errors="replace"))[-MAX_OUTPUT_CHARS:]
