"""The child process of `workers`: runs one job after the other, within limits of memory and time."""

import contextlib
import importlib
import os
import pickle
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import BinaryIO

HEADER = struct.Struct("<Q")
HELLO = b"ready"
_MAX_MEMORY_BYTES = 2 * 2**30
_NICENESS = 5


def main(modules: list[str]) -> None:
    """Import the modules, report that, and do jobs until standard input ends."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the gateway, which ends its workers
    os.nice(_NICENESS)  # ordinary requests come first
    with contextlib.suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for module in modules:
        importlib.import_module(module)
    jobs, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # discards whatever a job prints
    replies.write(HELLO)
    replies.flush()
    while header := jobs.read(HEADER.size):
        reply = _do(jobs.read(*HEADER.unpack(header)))
        _send(replies, reply)


def _do(job: bytes) -> bytes:
    """Return the pickled outcome of a job: (True, its value) or (False, its exception)."""
    try:
        timeout_s, function, args = pickle.loads(job)  # noqa: S301 -- from the gateway
        _limit_cpu(timeout_s)
        return pickle.dumps((True, function(*args)), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001 -- all of them are the caller's
        try:
            return pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)
        except Exception:  # noqa: BLE001 -- an exception that cannot be pickled
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")), pickle.HIGHEST_PROTOCOL)


def _limit_cpu(seconds: float) -> None:
    """End this process if the job takes more CPU time than that, even if the gateway was killed and cannot end it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _send(replies: BinaryIO, reply: bytes) -> None:
    replies.write(HEADER.pack(len(reply)))
    replies.write(reply)
    replies.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
