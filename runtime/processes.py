"""Starts and ends child processes, also in tasks that are cancelled meanwhile."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from contextlib import suppress
from typing import Any


async def start_process(*command: str, **options: Any) -> Process:
    """Start a child as `asyncio.create_subprocess_exec` does. Raises OSError if that is impossible.

    If this is cancelled, the child is killed, with its group if it is in a session of its own, and has ended when
    CancelledError is raised. asyncio alone leaves a child, with its pipes, to the garbage collector if its task is
    cancelled twice.
    """
    starting = asyncio.create_task(asyncio.create_subprocess_exec(*command, **options))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        ending = asyncio.create_task(_kill(starting, is_leader=bool(options.get("start_new_session"))))
        await _wait_in_any_case(ending)
        raise


async def end_process(process: Process, patience_s: float) -> bool:
    """Wait for a child that was asked to end, and kill it after `patience_s`; return whether it ended by itself.

    It has ended when this returns, and when CancelledError is raised. A task that was cancelled already may wait here
    too, so the timeout is not `asyncio.timeout`, which raises CancelledError there (CPython before 3.11.3).
    """
    ending = asyncio.create_task(process.wait())
    try:
        done, _ = await asyncio.wait([ending], timeout=patience_s)
    finally:
        if process.returncode is None:
            process.kill()
        await _wait_in_any_case(ending)
    return bool(done)


async def _wait_in_any_case(ending: "asyncio.Task[Any]") -> None:
    """Wait until a task has ended, however often the waiting task is cancelled; raise CancelledError only then."""
    is_cancelled = False
    while not ending.done():
        try:
            await asyncio.wait([ending])
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        raise asyncio.CancelledError


async def _kill(starting: "asyncio.Task[Process]", *, is_leader: bool) -> None:
    with suppress(OSError):  # it did not start, or has ended already
        process = await starting
        if is_leader and sys.platform != "win32":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        await process.wait()
