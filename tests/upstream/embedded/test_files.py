"""Locks between processes, and blocking work in threads."""

import asyncio
import threading
from pathlib import Path

import pytest

from upstream.embedded.files import StoppedError, append, exclusive, in_thread, sha256_of, size_of

CONTENT = b"GGUF" + bytes(range(256)) * 4000  # about 1 MB


async def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    held = []

    async def hold(name: str) -> None:
        async with exclusive(tmp_path / "lock", poll_s=0.001):
            held.append(f"{name} in")
            await asyncio.sleep(0)
            held.append(f"{name} out")

    await asyncio.gather(*(hold(name) for name in "abc"))
    assert [step.split()[1] for step in held] == ["in", "out"] * 3
    assert [step.split()[0] for step in held[::2]] == [step.split()[0] for step in held[1::2]]


async def test_cancelling_waits_until_the_thread_has_stopped(tmp_path: Path) -> None:
    """No thread still writes when the lock is released."""
    path, begun, ended = tmp_path / "file", threading.Event(), threading.Event()
    path.write_bytes(CONTENT)

    def work(stop: threading.Event) -> str:
        begun.set()
        stop.wait()
        try:
            return sha256_of(stop, path)
        finally:
            ended.set()

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    (stop := threading.Event()).set()
    with pytest.raises(StoppedError):
        sha256_of(stop, path)


async def test_a_file_grows_by_appending(tmp_path: Path) -> None:
    """It is created if necessary; a missing file has the size 0."""
    path = tmp_path / "part"
    assert size_of(path) == 0
    for data in (b"one", b"two"):
        await in_thread(append, path, data)
    assert (path.read_bytes(), size_of(path)) == (b"onetwo", 6)


async def test_an_error_in_a_thread_is_raised(tmp_path: Path) -> None:
    """As the work raised it."""
    with pytest.raises(FileNotFoundError):
        await in_thread(sha256_of, tmp_path / "missing")
