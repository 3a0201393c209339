"""The worker process by its protocol: `ready`, then a reply with a length before it for each job."""

import asyncio
import math
import operator
import os
import pickle
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from runtime import worker_child
from runtime.worker_child import HEADER, HELLO

PATIENCE_S = 60.0


_RAISE_STUBBORN = """
class Stubborn(Exception):
    def __reduce__(self): raise TypeError("no")
raise Stubborn("never")
"""


@asynccontextmanager
async def _child(*modules: str) -> AsyncGenerator[Process]:
    command = [sys.executable, "-P", str(worker_child.__file__), *modules]
    child = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={})
    try:
        async with asyncio.timeout(PATIENCE_S):
            assert await _read(child, len(HELLO)) == HELLO
            yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def _read(child: Process, size: int) -> bytes:
    assert child.stdout is not None
    return await child.stdout.readexactly(size)


async def _do(child: Process, function: Callable[..., Any], *args: Any) -> tuple[bool, Any]:
    job = pickle.dumps((PATIENCE_S, function, args))
    assert child.stdin is not None
    child.stdin.write(HEADER.pack(len(job)) + job)
    (size,) = HEADER.unpack(await _read(child, HEADER.size))
    reply: tuple[bool, Any] = pickle.loads(await _read(child, size))
    return reply


async def test_jobs_are_done_one_after_the_other() -> None:
    """In one process, which ends by itself when its standard input does."""
    async with _child() as child:
        assert await _do(child, math.gcd, 12, 18) == (True, 6)
        assert await _do(child, os.getpid) == (True, child.pid)
        assert child.stdin is not None
        child.stdin.close()
        assert await child.wait() == 0


async def test_an_exception_is_a_reply() -> None:
    """The next job is done."""
    async with _child() as child:
        succeeded, error = await _do(child, operator.truediv, 1, 0)
        assert not succeeded
        assert isinstance(error, ZeroDivisionError)
        assert await _do(child, operator.neg, 1) == (True, -1)


async def test_a_result_that_cannot_be_pickled_is_an_error() -> None:
    """Only the job fails; the process goes on."""
    async with _child() as child:
        succeeded, error = await _do(child, eval, "lambda: 1")
        assert not succeeded
        assert isinstance(error, Exception)
        assert await _do(child, operator.neg, 1) == (True, -1)


async def test_an_exception_that_cannot_be_pickled_is_described() -> None:
    """By its name and its message."""
    async with _child() as child:
        succeeded, error = await _do(child, exec, _RAISE_STUBBORN)
        assert (succeeded, type(error), str(error)) == (False, RuntimeError, "Stubborn: never")


async def test_output_and_ctrl_c_disturb_nothing() -> None:
    """Printing does not get among the replies; Ctrl-C is the gateway's to handle."""
    async with _child() as child:
        assert await _do(child, exec, "print('noise'); import os; os.write(1, b'noise')") == (True, None)
        assert await _do(child, exec, "import os, signal; os.kill(os.getpid(), signal.SIGINT)") == (True, None)
        assert await _do(child, operator.neg, 1) == (True, -1)


async def test_modules_are_imported_before_the_first_job() -> None:
    """Those of the gateway too."""
    async with _child("runtime.budget") as child:
        assert await _do(child, eval, "'runtime.budget' in __import__('sys').modules") == (True, True)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no limit of the address space")
async def test_memory_is_limited() -> None:
    """A job that wants too much gets a MemoryError."""
    async with _child() as child:
        succeeded, error = await _do(child, bytes, 2**34)
        assert (succeeded, type(error)) == (False, MemoryError)
