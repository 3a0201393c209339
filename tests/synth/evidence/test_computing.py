"""Reading texts at once, or in a process that can be stopped."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from runtime.workers import WorkerPool
from synth.evidence import computing
from synth.evidence.computing import compute


@pytest.fixture
async def workers() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(size=1)
    yield pool
    await pool.close()


def count(text: str) -> int:
    return len(text)


def recurse(_text: str) -> int:
    raise RecursionError


def spin(_text: str) -> int:
    """Hold the interpreter lock for a long time, as a regular expression may."""
    return pow(3, 10**9, 10**400_000)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine take its time."""
    monkeypatch.setattr(computing, "_LIMIT_S", 600.0)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(("n_chars", "n_started"), [(100, 0), (5000, 1)])
async def test_only_long_texts_need_a_process(workers: WorkerPool, n_chars: int, n_started: int) -> None:
    """A short one is read at once, since a process costs more."""
    assert await compute(workers, count, "x" * n_chars, n_chars=n_chars) == n_chars
    assert workers.n_started == n_started


async def test_without_workers_long_texts_are_read_in_a_thread() -> None:
    """For example in a script without a pool."""
    assert await compute(None, count, "x" * 5000, n_chars=5000) == 5000


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("n_chars", [1, 5000])
async def test_a_text_that_goes_too_deep_has_no_result(workers: WorkerPool, n_chars: int) -> None:
    """It counts as not read."""
    assert await compute(workers, recurse, "", n_chars=n_chars) is None


async def test_a_text_that_takes_too_long_has_no_result(workers: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is stopped, and other requests go on meanwhile."""
    monkeypatch.setattr(computing, "_LIMIT_S", 0.05)
    assert await asyncio.wait_for(compute(workers, spin, "", n_chars=5000), 60) is None
    assert workers.n_running == 0
