"""Worker processes for work on text from outside: unlike threads, they can be stopped, and hold no interpreter lock."""

import asyncio
import pickle
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from runtime.processes import start_process
from runtime.worker_child import HEADER, HELLO

_CHILD = Path(__file__).with_name("worker_child.py")
_START_TIMEOUT_S = 30.0
_T = TypeVar("_T")


class WorkerError(Exception):
    """The work has no result: it took too long, or its process died."""


# Strategy. Work that the gateway does on foreign text is bounded by counting steps (runtime/budget.py), so that small
# texts need no process. Work that may take longer than a turn of the event loop runs here, for three reasons: native
# code holds the interpreter lock, so a thread stalls every other request; a thread cannot be stopped, so it would
# outlive its request and delay a shutdown; and native code may crash on a text, which must not end the gateway.
# A process does one job at a time. If the caller is cancelled, or the time is over, the process is killed: there is no
# other way to stop native code. The next job starts a new one. An unused process ends after a while, because it takes
# as much memory as the modules that it has imported.
# Replies are unpickled here. That is safe as long as the workers run functions of the gateway alone: code that a model
# wrote belongs in runtime/sandbox.
class WorkerPool:
    """Runs functions in worker processes, first come, first served.

    At most `size` processes run, each for at most `max_jobs` jobs; one that has nothing to do for `max_idle_s` seconds
    ends. `preload` are modules that a process imports before its first job. Nothing is started before it is needed.
    """

    def __init__(
        self, *, size: int = 2, max_jobs: int = 500, max_idle_s: float = 60.0, preload: Sequence[str] = ()
    ) -> None:
        self._max_jobs = max_jobs
        self._max_idle_s = max_idle_s
        self._preload = tuple(preload)
        self._free = asyncio.Semaphore(size)
        self._idle: list[_Worker] = []
        self._workers: set[_Worker] = set()
        self._endings: set[asyncio.Task[int]] = set()
        self._is_closed = False
        self.n_started = 0

    @property
    def n_running(self) -> int:
        """How many processes there are now."""
        return len(self._workers)

    async def run(self, function: Callable[..., _T], *args: Any, timeout_s: float) -> _T:
        """Return `function(*args)`, which a worker process computes; or raise what the function raises.

        The function is one of a module's own, and arguments and result can be pickled. The time counts from when a
        process begins. Raises WorkerError if it is over, or if the process dies. Cancelling it kills the process.
        """
        job = pickle.dumps((timeout_s, function, args), pickle.HIGHEST_PROTOCOL)
        async with self._free:
            worker = self._idle.pop() if self._idle else await self._start()
            worker.keep()
            try:
                async with asyncio.timeout(timeout_s):
                    reply = await worker.exchange(job)
            except TimeoutError:
                raise WorkerError(f"the work took longer than {timeout_s:g} s") from None
            except (OSError, asyncio.IncompleteReadError):
                raise WorkerError("the worker process died") from None
            else:
                worker.n_jobs += 1
            finally:
                self._put_back(worker)
        succeeded, result = pickle.loads(reply)  # noqa: S301 -- from our own code, see above
        if not succeeded:
            raise result
        value: _T = result
        return value

    async def close(self) -> None:
        """Kill all processes, busy ones too: their jobs end with WorkerError, and so do all that follow."""
        self._is_closed = True
        for worker in tuple(self._workers):
            self._end(worker)
        await asyncio.gather(*self._endings)

    async def _start(self) -> "_Worker":
        self._check_open()
        self.n_started += 1
        command = [sys.executable, "-P", "-X", "utf8", str(_CHILD), *self._preload]
        process = await start_process(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={})
        worker = _Worker(process)
        self._workers.add(worker)
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await worker.greet()
        except BaseException as error:
            self._end(worker)
            if isinstance(error, TimeoutError | OSError | asyncio.IncompleteReadError):
                raise WorkerError("a worker process did not start") from error
            raise
        try:
            self._check_open()  # `close` has not seen a process that was starting
        except WorkerError:
            self._workers.discard(worker)
            await worker.kill()
            raise
        return worker

    def _check_open(self) -> None:
        if self._is_closed:
            raise WorkerError("the gateway is shutting down")

    def _put_back(self, worker: "_Worker") -> None:
        if worker.is_ready and worker.n_jobs < self._max_jobs and worker in self._workers:
            self._idle.append(worker)
            worker.end_after(self._max_idle_s, lambda: self._end(worker))
        else:
            self._end(worker)

    def _end(self, worker: "_Worker") -> None:
        if worker in self._idle:
            self._idle.remove(worker)
        if worker in self._workers:
            self._workers.remove(worker)
            ending = asyncio.get_running_loop().create_task(worker.kill())
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)


class _Worker:
    """One process. `is_ready` while it waits for a job; after a failure it is never ready again."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._ending: asyncio.TimerHandle | None = None
        self.is_ready = False
        self.n_jobs = 0

    async def greet(self) -> None:
        """Wait until the process has imported its modules."""
        assert self._process.stdout is not None  # noqa: S101 -- it is a pipe
        await self._process.stdout.readexactly(len(HELLO))
        self.is_ready = True

    async def exchange(self, job: bytes) -> bytes:
        """Send a job, and return the reply."""
        to_child, from_child = self._process.stdin, self._process.stdout
        assert to_child is not None  # noqa: S101 -- both are pipes
        assert from_child is not None  # noqa: S101
        self.is_ready = False
        to_child.write(HEADER.pack(len(job)))
        to_child.write(job)
        await to_child.drain()
        (size,) = HEADER.unpack(await from_child.readexactly(HEADER.size))
        reply = await from_child.readexactly(size)
        self.is_ready = True
        return reply

    def end_after(self, seconds: float, end: Callable[[], None]) -> None:
        """Call `end` in this time, unless there is a job before."""
        self._ending = asyncio.get_running_loop().call_later(seconds, end)

    def keep(self) -> None:
        """Cancel a pending `end_after`."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    async def kill(self) -> int:
        """Kill the process at once, and return its exit code when it has ended."""
        self.keep()
        if self._process.returncode is None:
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        return await self._process.wait()
