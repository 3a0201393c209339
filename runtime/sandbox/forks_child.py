"""The child process of `forks` inside the namespaces: reads trials from stdin, runs each in a fork of its own.

As process 1 of its namespace it gets no signal from what it runs, and can end all of that at once. It reads a JSON
object a line, and writes a JSON line for each observation, then an empty line. Only the standard library is used.
"""

import ctypes
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from contextlib import suppress
from types import FrameType, ModuleType
from typing import Any, NoReturn

_PR_SET_DUMPABLE = 4
_MAX_REPORT_BYTES = 2**20
_MAX_LINE_BYTES = 2**15


class _StepExpired(BaseException):
    """A step took too long. Not an Exception, so that `except Exception` does not swallow it."""


def main() -> None:
    """Serve until stdin ends."""
    # This process holds the other trials in memory: no other process of the same user may read it.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    replies = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.write(replies, b"ready\n")
    for line in sys.stdin.buffer:
        os.write(replies, _run_in_fork(json.loads(line), replies) + b"\n")


def _run_in_fork(task: dict[str, Any], replies: int) -> bytes:
    """Run one trial in a fork; return its lines. Nothing of it is left afterwards, neither processes nor files."""
    os.mkdir("trial")  # noqa: PTH102 -- pathlib takes a tenth of the start
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.close(replies)
        _run(task, writer)
    os.close(writer)
    try:
        return _read_lines(reader, 1 + len(task["checks"]), time.monotonic() + task["trial_s"] + task["step_s"])
    finally:
        os.close(reader)
        _end_all()
        _clear_folder()


def _clear_folder() -> None:
    """Remove everything that a trial has left, also outside its own folder, before the next one."""
    for name in os.listdir("."):  # noqa: PTH208 -- see above
        if os.path.isdir(name) and not os.path.islink(name):  # noqa: PTH112, PTH114
            shutil.rmtree(name, ignore_errors=True)
        else:
            os.unlink(name)  # noqa: PTH108


def _read_lines(reader: int, n_lines: int, deadline: float) -> bytes:
    """Return the whole lines that a fork writes until all are there, it ends, the deadline passes, or it is a flood.

    Its end alone would not do: processes that it leaves behind hold the pipe open.
    """
    data = b""
    while len(data) < _MAX_REPORT_BYTES and _count(data) < n_lines and (left := deadline - time.monotonic()) > 0:
        if not select.select([reader], [], [], left)[0]:
            break
        piece = os.read(reader, 2**16)
        if not piece:
            break
        data += piece
    *whole, _unfinished = data.split(b"\n")
    # The code can find this pipe and write to it: an empty line would end the trial too early, and shift the next.
    return b"".join(line + b"\n" for line in whole if line and len(line) < _MAX_LINE_BYTES)


def _count(data: bytes) -> int:
    return sum(map(bool, data.split(b"\n")[:-1]))


def _end_all() -> None:
    """Kill and reap every other process of this namespace, until none is left."""
    while True:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _run(task: dict[str, Any], writer: int) -> NoReturn:
    """Run one trial in the forked process: load the module, check it, and write an observation for each check."""
    os.chdir("trial")
    os.setsid()
    os.dup2(1, 0)
    for name, limit in task["limits"].items():
        resource.setrlimit(getattr(resource, name), (limit, limit))
    signal.signal(signal.SIGALRM, _raise_expired)
    _write_files(task["files"])
    module = ModuleType("candidate")
    sys.modules["candidate"] = module
    names = vars(module)
    step_s: float = task["step_s"]
    try:
        exec(task["prelude"], names)  # noqa: S102 -- this is what the sandbox is for
        loaded = _step(lambda: exec(compile(task["source"], "candidate.py", "exec"), names), step_s)  # noqa: S102
        _write(writer, loaded)
        if loaded[0] == "value":
            for setup, expression in task["checks"]:
                _write(writer, _check(names, setup, expression, step_s))
    finally:
        os._exit(0)


def _write_files(files: dict[str, str]) -> None:
    """Write the sources that the module may import; skip a path that cannot be created."""
    for path, text in files.items():
        with suppress(OSError, ValueError):
            if folder := os.path.dirname(path):  # noqa: PTH120 -- see above
                os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
                file.write(text)
    sys.path.insert(0, os.getcwd())  # noqa: PTH109


def _check(names: dict[str, Any], setup: str, expression: str, step_s: float) -> list[Any]:
    if setup:
        done = _step(lambda: exec(compile(setup, "setup.py", "exec"), names), step_s)  # noqa: S102
        if done[0] != "value":
            return done
    return _step(lambda: eval(compile(expression, "check.py", "eval"), names), step_s)  # noqa: S307


def _step(act: Any, step_s: float) -> list[Any]:
    """Return [kind, equal, shown, error, message] of one step."""
    try:
        signal.setitimer(signal.ITIMER_REAL, step_s)
        try:
            value = act()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _StepExpired:
        return ["unknown", None, "", "", f"not done within {step_s:g} s"]
    except OSError as error:  # whatever its subclass is called: there are no files and there is no network
        return ["error", None, "", "OSError", _describe(error)]
    except BaseException as error:  # noqa: BLE001 -- SystemExit and KeyboardInterrupt are the code's as well
        return ["error", None, "", type(error).__name__, _describe(error)]
    match value:
        case (bool() | None as equal, str() as shown):
            return ["value", equal, shown, "", ""]
    return ["value", None, "", "", ""]


def _describe(error: BaseException) -> str:
    try:
        return str(error)[:1000]
    except BaseException:  # noqa: BLE001 -- an exception's own __str__ may do anything
        return ""


def _write(writer: int, observation: list[Any]) -> None:
    os.write(writer, json.dumps(observation).encode() + b"\n")


def _raise_expired(_number: int, _frame: FrameType | None) -> None:
    raise _StepExpired


if __name__ == "__main__":
    main()
