"""Ends child processes."""

import asyncio


async def end_process(process: asyncio.subprocess.Process, patience_s: float) -> bool:
    """Wait for a process that was asked to end, and kill it after `patience_s`; return whether it ended by itself.

    It has ended when this returns or is cancelled. A task that was cancelled already may wait here too: its timeout
    cannot be `asyncio.timeout`, which raises CancelledError in such a task (CPython before 3.11.3).
    """
    ending = asyncio.create_task(process.wait())
    try:
        done, _ = await asyncio.wait([ending], timeout=patience_s)
    finally:
        if process.returncode is None:
            process.kill()
        await ending
    return bool(done)
