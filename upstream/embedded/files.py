"""GGUF files on disk: hashed once, known again by a stamp, and one process at a time at work on each.

Everything here that blocks runs in threads: `in_thread` brings it there, and back when it is cancelled.
"""

import asyncio
import contextlib
import hashlib
import json
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import IO, Any, Concatenate, ParamSpec, TypeVar

import structlog

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_log = structlog.get_logger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")

PIECE_BYTES = 2**20
_LOCK_POLL_S = 0.5


class StoppedError(Exception):
    """Work in a thread was told to stop before its end."""


async def in_thread(work: Callable[Concatenate[threading.Event, _P], _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Return what `work(stop, …)` returns in a thread. Cancelling sets `stop`, and waits until the work has ended.

    So nothing still writes to a file whose lock has been given back; work that lasts asks `stop` now and then.
    """
    stop = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(work, stop, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # asked for, so that asyncio does not report it as lost
        raise


def sha256_of(stop: threading.Event, path: Path) -> str:
    """Return the SHA-256 of a file's content in hex; OSError where it can't be read, StoppedError on `stop`."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            if stop.is_set():
                raise StoppedError
            digest.update(piece)
    return digest.hexdigest()


def has_content(stop: threading.Event, path: Path, sha256: str) -> bool:
    """Tell whether there is a file of this content."""
    return path.is_file() and sha256_of(stop, path) == sha256


def is_intact(stop: threading.Event, path: Path, sha256: str) -> bool:
    """Tell whether the file has this content. A stamp beside it spares hashing an unchanged file again.

    The stamp holds size, mtime and inode of the file that was hashed: any change, also a copy moved into its
    place, means hashing. A folder that can't be written to keeps no stamps, and is hashed at every start.
    """
    if not path.is_file():
        return False
    stamp_path = path.with_name(f"{path.name}.verified")
    stamp = _stamp(path, sha256)
    if _read_stamp(stamp_path) == stamp:
        return True
    if not has_content(stop, path, sha256):
        return False
    try:
        stamp_path.write_text(json.dumps(stamp), encoding="utf-8")
    except OSError as error:
        _log.debug("the check of the weights can't be noted", path=str(stamp_path), reason=str(error))
    return True


def _stamp(path: Path, sha256: str) -> dict[str, Any]:
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "inode": status.st_ino, "sha256": sha256}


def _read_stamp(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # none yet, or half written: the file is hashed, and a new one made


@contextlib.asynccontextmanager
async def exclusive(path: Path, *, poll_s: float = _LOCK_POLL_S) -> AsyncGenerator[None]:
    """Hold the lock file at `path`; wait while another process or task holds it. OSError where it can't be made.

    A lock, rather than separate part files: the second gateway waits, and then finds the weights there, instead of
    downloading them twice. The system gives it back when its holder dies, however that happens. The file stays:
    removing it would let two processes hold two locks of one name.
    """
    lock = _Lock(path)
    try:
        if not await in_thread(lock.acquire):
            _log.info("another gateway is installing these weights; waiting for it", lock=str(path))
            while not await in_thread(lock.acquire):  # noqa: ASYNC110 -- no event comes from another process
                await asyncio.sleep(poll_s)
        yield
    finally:
        lock.release()


class _Lock:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def acquire(self, _stop: threading.Event) -> bool:
        if self._file is None:
            self._file = self._path.open("ab")
        try:
            if sys.platform == "win32":
                msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # the latter is Windows' word for it
            return False
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()


def size_of(path: Path) -> int:
    """Return the size of a file in bytes, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def append(_stop: threading.Event, path: Path, data: bytes) -> None:
    """Write at the end of a file, which is made where there is none."""
    with path.open("ab") as file:
        file.write(data)
