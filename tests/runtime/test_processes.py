"""Starting and ending child processes."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

import pytest

from runtime.processes import end_process, start_process

WAIT_S = 60.0  # far more than any of this takes
STAYS = "import sys; print('up', flush=True); sys.stdin.read(); import time; time.sleep(3600)"
LEAVES = "import sys; print('up', flush=True); sys.stdin.read()"


async def started(code: str) -> Process:
    """Return a child that has begun, and that was asked to end by the end of its stdin."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=PIPE, stdout=PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    assert await child.stdout.readline()
    child.stdin.close()
    return child


def list_held() -> tuple[set[str], set[str]]:
    """Return the descriptors and the children, zombies too, of this process."""
    children = {each for path in Path("/proc/self/task").glob("*/children") for each in path.read_text().split()}
    return {each.name for each in Path("/proc/self/fd").iterdir()}, children


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize("steps", range(8))
async def test_a_start_that_is_cancelled_leaves_no_child(steps: int, session: bool) -> None:
    """At whichever step of the start, once or twice: its pipes are closed, and it is gone and reaped."""
    before = list_held()
    for pause in range(4):
        starting = asyncio.create_task(
            start_process("sleep", "3600", stdin=PIPE, stdout=PIPE, start_new_session=session)
        )
        for _ in range(steps):
            await asyncio.sleep(0)
        starting.cancel()
        for _ in range(pause):
            await asyncio.sleep(0)
        starting.cancel()
        with suppress(asyncio.CancelledError):
            child = await starting
            child.kill()
            await child.wait()
        await asyncio.sleep(0)
    assert list_held() == before


async def test_a_program_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        await start_process("/nowhere/at/all")


async def test_a_child_that_ends_by_itself_is_waited_for() -> None:
    child = await started(LEAVES)
    assert await end_process(child, WAIT_S)
    assert child.returncode == 0


async def test_a_child_that_stays_is_killed() -> None:
    child = await started(STAYS)
    assert not await end_process(child, 0.01)
    assert child.returncode == -9


@pytest.mark.parametrize("patience_s", [0.0, 0.01])
async def test_a_cancelled_task_ends_its_child_too(patience_s: float) -> None:
    """The timeout is not mistaken for another cancellation of the task."""
    child = await started(STAYS)
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(await end_process(child, patience_s))

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (ended, child.returncode) == ([False], -9)


@pytest.mark.parametrize("n_cancelled", [1, 2, 3])
async def test_cancelling_the_wait_kills_the_child(n_cancelled: int) -> None:
    """It has been reaped when CancelledError is raised, however often the task was cancelled."""
    child = await started(STAYS)
    task = asyncio.create_task(end_process(child, WAIT_S))
    for _ in range(n_cancelled):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert child.returncode == -9
