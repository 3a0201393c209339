"""Worker processes."""

import asyncio
import ctypes
import os
import time
from collections.abc import AsyncIterator

import pytest

from runtime.budget import BudgetExceededError
from runtime.workers import WorkerError, WorkerPool

LONG_S = 60.0


class UnpicklableError(Exception):
    """An exception that holds what cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("cannot be pickled")
        self.attachment = lambda: None


def double(number: int) -> int:
    return 2 * number


def report_pid() -> int:
    return os.getpid()


def exceed() -> None:
    raise BudgetExceededError("too much")


def fail_strangely() -> None:
    raise UnpicklableError


def sleep_for(seconds: float) -> None:
    time.sleep(seconds)


def spin() -> None:
    """Hold the interpreter lock for a long time, as native code does."""
    pow(3, 10**9, 10**400_000)


def crash() -> None:
    ctypes.string_at(0)


def shout() -> str:
    print("noise on standard output")  # noqa: T201
    return "done"


def list_environment() -> list[str]:
    return sorted(os.environ)


def allocate(size: int) -> int:
    return len(bytearray(size))


@pytest.fixture
async def workers() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(size=2)
    yield pool
    await pool.close()


async def test_a_function_runs_in_another_process(workers: WorkerPool) -> None:
    """One after the other in the same one: nothing is started without need."""
    assert workers.n_started == 0
    assert await workers.run(double, 21, timeout_s=LONG_S) == 42
    pid = await workers.run(report_pid, timeout_s=LONG_S)
    assert pid not in (os.getpid(), 0)
    assert await workers.run(report_pid, timeout_s=LONG_S) == pid
    assert workers.n_started == 1


async def test_exceptions_are_the_caller_s(workers: WorkerPool) -> None:
    """With their type, if they can be pickled; the process goes on."""
    with pytest.raises(BudgetExceededError, match="too much"):
        await workers.run(exceed, timeout_s=LONG_S)
    with pytest.raises(RuntimeError, match="UnpicklableError: cannot be pickled"):
        await workers.run(fail_strangely, timeout_s=LONG_S)
    assert await workers.run(double, 1, timeout_s=LONG_S) == 2
    assert workers.n_started == 1


async def test_work_that_holds_the_interpreter_ends_with_its_time(workers: WorkerPool) -> None:
    """No thread could be stopped in it. The next job gets a new process."""
    with pytest.raises(WorkerError, match="longer than"):
        await workers.run(spin, timeout_s=0.2)
    assert await workers.run(double, 1, timeout_s=LONG_S) == 2
    assert workers.n_started == 2


async def test_a_crash_ends_the_worker_alone(workers: WorkerPool) -> None:
    """Here a read of address zero."""
    with pytest.raises(WorkerError, match="died"):
        await workers.run(crash, timeout_s=LONG_S)
    assert await workers.run(double, 1, timeout_s=LONG_S) == 2


async def test_cancelling_kills_the_process(workers: WorkerPool) -> None:
    """A client that leaves stops its work, whatever it is."""
    pid = await workers.run(report_pid, timeout_s=LONG_S)
    job = asyncio.create_task(workers.run(spin, timeout_s=LONG_S))
    await asyncio.sleep(0)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert await workers.run(report_pid, timeout_s=LONG_S) != pid
    await workers.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_closing_kills_busy_processes() -> None:
    """A shutdown does not wait for jobs."""
    pool = WorkerPool(size=1)
    await pool.run(double, 1, timeout_s=LONG_S)
    job = asyncio.create_task(pool.run(spin, timeout_s=LONG_S))
    await asyncio.sleep(0)
    await pool.close()
    with pytest.raises(WorkerError, match="died"):
        await job
    with pytest.raises(WorkerError, match="shutting down"):
        await pool.run(double, 1, timeout_s=LONG_S)
    assert pool.n_running == 0


async def test_a_process_that_starts_while_the_pool_closes_ends() -> None:
    """Closing sees only the processes that there are, so a later one ends itself."""
    pool = WorkerPool(size=1)
    job = asyncio.create_task(pool.run(double, 1, timeout_s=LONG_S))
    await asyncio.sleep(0)
    await pool.close()
    with pytest.raises(WorkerError, match="shutting down"):
        await job
    assert (pool.n_started, pool.n_running) == (1, 0)


async def test_jobs_wait_for_a_process() -> None:
    """No more run than the size says."""
    pool = WorkerPool(size=1)
    pids = await asyncio.gather(*(pool.run(report_pid, timeout_s=LONG_S) for _ in range(5)))
    assert len(set(pids)) == 1
    await pool.close()


async def test_a_process_is_replaced_after_its_share_of_jobs() -> None:
    """So its memory is freed from time to time."""
    pool = WorkerPool(size=1, max_jobs=2)
    pids = [await pool.run(report_pid, timeout_s=LONG_S) for _ in range(3)]
    assert pids[0] == pids[1] != pids[2]
    await pool.close()


async def test_an_idle_process_ends() -> None:
    """It takes memory, and the next job starts another."""
    pool = WorkerPool(size=1, max_idle_s=0)
    pid = await pool.run(report_pid, timeout_s=LONG_S)
    await asyncio.sleep(0.01)
    assert await pool.run(report_pid, timeout_s=LONG_S) != pid
    await pool.close()


async def test_printed_output_does_not_disturb_replies(workers: WorkerPool) -> None:
    """Replies have a pipe of their own."""
    assert await workers.run(shout, timeout_s=LONG_S) == "done"


async def test_a_worker_has_no_secrets(workers: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment holds the keys of the upstreams."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert "OPENAI_API_KEY" not in await workers.run(list_environment, timeout_s=LONG_S)


async def test_a_worker_s_memory_is_limited(workers: WorkerPool) -> None:
    """MemoryError, and the machine lives on."""
    with pytest.raises(MemoryError):
        await workers.run(allocate, 8 * 2**30, timeout_s=LONG_S)


async def test_a_module_that_cannot_be_imported_is_an_error() -> None:
    """The caller does not hang."""
    pool = WorkerPool(preload=["runtime.no_such_module"])
    with pytest.raises(WorkerError, match="did not start"):
        await pool.run(double, 1, timeout_s=LONG_S)
    await pool.close()


async def test_large_arguments_and_results_pass(workers: WorkerPool) -> None:
    """Several megabytes, in both directions."""
    text = "x" * 5_000_000
    assert await workers.run(str.upper, text, timeout_s=LONG_S) == text.upper()
