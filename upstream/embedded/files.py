"""GGUF files on disk: hashes with stamps, locks between processes, and blocking work in threads."""

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
    """Work in a thread was stopped before its end."""


async def in_thread(work: Callable[Concatenate[threading.Event, _P], _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run `work(stop, …)` in a thread and return its result. Cancellation sets `stop` and waits for the thread.

    The wait ensures that no thread still writes to a file whose lock has been released. Long work must check `stop`.
    """
    stop = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(work, stop, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not log it as lost
        raise


def sha256_of(stop: threading.Event, path: Path) -> str:
    """Return the SHA-256 of a file in hex. Raises OSError if it cannot be read, StoppedError on `stop`."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            if stop.is_set():
                raise StoppedError
            digest.update(piece)
    return digest.hexdigest()


def has_content(stop: threading.Event, path: Path, sha256: str) -> bool:
    """Whether the file exists and has this content."""
    return path.is_file() and sha256_of(stop, path) == sha256


def is_intact(stop: threading.Event, path: Path, sha256: str) -> bool:
    """Whether the file has this content. A stamp beside it avoids hashing an unchanged file again.

    The stamp has the size, mtime and inode of the hashed file: after any change, also if another file was moved into
    its place, it is hashed again. In a folder that is not writable there are no stamps, so it is hashed at each start.
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
        _log.debug("the stamp of the weights cannot be written", path=str(stamp_path), reason=str(error))
    return True


def _stamp(path: Path, sha256: str) -> dict[str, Any]:
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "inode": status.st_ino, "sha256": sha256}


def _read_stamp(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # missing or incomplete: the file is hashed again


@contextlib.asynccontextmanager
async def exclusive(path: Path, *, poll_s: float = _LOCK_POLL_S) -> AsyncGenerator[None]:
    """Hold the lock file at `path`, after waiting for other processes and tasks. Raises OSError if it can't be created.

    With a lock, rather than separate partial files, a second gateway waits and then finds the weights installed instead
    of downloading them twice. The system releases the lock when its holder dies. The file is not removed: otherwise two
    processes could hold two locks of the same name.
    """
    lock = _Lock(path)
    try:
        if not await in_thread(lock.acquire):
            _log.info("waiting for another gateway that installs these weights", lock=str(path))
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
        except (BlockingIOError, PermissionError):  # the latter on Windows
            return False
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()


def size_of(path: Path) -> int:
    """Return the size of a file in bytes, 0 if it does not exist."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def measure_folder(folder: Path) -> int:
    """Return the size of all files in a folder, 0 if it does not exist; files may vanish meanwhile."""
    return sum(size_of(path) for path in folder.rglob("*") if not path.is_dir())


def append(_stop: threading.Event, path: Path, data: bytes) -> None:
    """Append to a file, which is created if necessary."""
    with path.open("ab") as file:
        file.write(data)
