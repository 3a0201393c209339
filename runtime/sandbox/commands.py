"""Run the operator's command in a throw-away copy of a work tree, with some files replaced.

The work tree itself is only read. The command gets the environment that it is given and nothing else, a process group
of its own, and, if isolated, Linux namespaces: no network, and a machine that is read-only except for the copy.
"""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from runtime.frozen import frozen
from runtime.sandbox.namespaces import PATH, Isolation, filtering, isolation
from runtime.sandbox.trials import SandboxError

MAX_OUTPUT_CHARS = 4000
"""How much of a command's output is kept, from its end."""

_SCRIPT = Path(__file__).with_name("commands.sh")
_CANNOT_ISOLATE = 125
_CANNOT_START = (126, 127)  # by setpriv: the command is not there, or cannot be executed
_MAX_FILES = 20_000
_MAX_TREE_BYTES = 512 * 2**20
_GIT_S = 20.0
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


async def run_in_copy(command: Command, files: Mapping[str, str]) -> Finished:
    """Run a command in a copy of its work tree with `files` in it, by relative path.

    All of its processes have ended when this returns or is cancelled. Raises SandboxError if the copy cannot be made,
    or if the command must be isolated and cannot be.
    """
    if command.isolate and await asyncio.to_thread(isolation) is not Isolation.NAMESPACES:
        raise SandboxError("this system has no usable namespaces; set `isolate: false` to run the checker without them")
    with TemporaryDirectory(prefix="mom-checker-") as folder:
        copy = await asyncio.to_thread(_make_copy, command.workdir, Path(folder), files)
        return await _run(command, copy)


def matches(workdir: Path, files: Mapping[str, str]) -> bool:
    """Whether every one of these files is in the work tree with the same content, but for spaces at its end."""
    for path, text in files.items():
        try:
            there = _resolve(workdir, path).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return False
        if there.rstrip() != text.rstrip():
            return False
    return True


async def _run(command: Command, copy: Path) -> Finished:
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
        shell = ["/bin/sh", "-c", _SCRIPT.read_text(encoding="utf-8"), "checker", str(copy)]
        # The interpreter that installs the filter sets a variable of its own (PEP 538).
        unset = [] if "LC_CTYPE" in dict(command.env) else ["env", "-u", "LC_CTYPE"]
        inside = [*filtering(for_code=False), *unset, *command.argv]
        shell += [*map(str, _programs_below_tmp([inside[0], *command.argv])), "--"]
        argv = ["unshare", *spaces, "--fork", "--kill-child", *shell, *inside]
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=copy,
            env={"PATH": PATH, **dict(command.env)},
            start_new_session=True,
        )
    except OSError as error:
        raise SandboxError(f"the checker's command cannot be started: {error}") from error
    tail = bytearray()
    try:
        async with asyncio.timeout(command.timeout_s):
            await _read_tail(process, tail)
            code = await process.wait()
    except TimeoutError:
        return Finished(None, _decode(tail))
    finally:
        await _end(process)
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


async def _read_tail(process: asyncio.subprocess.Process, tail: bytearray) -> None:
    """Read the output to its end, and keep its last part: a flood costs no memory."""
    assert process.stdout is not None  # noqa: S101 -- started with a pipe
    while data := await process.stdout.read(_READ_BYTES):
        tail += data
        del tail[: -4 * MAX_OUTPUT_CHARS]


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill whatever is left of the group; a process that has left it ends with its namespace, if it is isolated."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _decode(tail: bytearray) -> str:
    return tail.decode(errors="replace")[-MAX_OUTPUT_CHARS:]


def _make_copy(workdir: Path, folder: Path, files: Mapping[str, str]) -> Path:
    """Copy the files of a work tree into a folder, write `files` over them, and return the paths of `files`.

    Links are followed once, when they are copied, so that nothing written to the copy goes elsewhere.
    """
    n_bytes, copy = 0, folder.resolve() / "tree"
    copy.mkdir()
    for count, path in enumerate(_list_files(workdir)):
        source = workdir / path
        try:
            n_bytes += source.stat().st_size
            if count >= _MAX_FILES or n_bytes > _MAX_TREE_BYTES:
                raise SandboxError(f"{workdir} is too large to be copied for each candidate")
            if source.is_file():
                target = copy / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        except OSError:
            continue  # deleted or unreadable: missing from the copy, as from a clone
    for name, text in files.items():
        try:
            target = _resolve(copy, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        except (OSError, ValueError) as error:
            raise SandboxError(f"{name} cannot be written to the copy: {error}") from error
    return copy


def _list_files(workdir: Path) -> Iterator[PurePosixPath]:
    """Yield the files of a work tree: tracked or not ignored by git; without git, all files."""
    listed = _list_by_git(workdir)
    if listed is not None:
        yield from listed
        return
    for folder, folders, names in os.walk(workdir):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            yield PurePosixPath(os.path.relpath(os.path.join(folder, name), workdir))  # noqa: PTH118


def _list_by_git(workdir: Path) -> list[PurePosixPath] | None:
    argv = ["git", "-C", str(workdir), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(  # noqa: S603 -- a command of ours
            argv, check=True, capture_output=True, timeout=_GIT_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return [PurePosixPath(os.fsdecode(name)) for name in done.stdout.split(b"\0") if name]


def _resolve(folder: Path, name: str) -> Path:
    """Return the path of a file below a folder. Raises ValueError if it would be anywhere else."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise ValueError("it is not below the folder")
    return folder / path
