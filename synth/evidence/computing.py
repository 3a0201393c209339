"""Reading texts from outside without stalling other requests."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from runtime.workers import WorkerError, WorkerPool

_T = TypeVar("_T")

WORKER_MODULES = ("synth.evidence.code_task", "synth.evidence.edit_task")
"""The modules that a worker process for evidence imports before its first job."""

_SHORT_CHARS = 4000
_LIMIT_S = 3.0


async def compute(workers: WorkerPool | None, function: Callable[..., _T], *args: Any, n_chars: int) -> _T | None:
    """Return `function(*args)`, which reads `n_chars` characters, or None if that takes too long or goes too deep.

    Short texts are read at once, longer ones in a process that can be stopped; without `workers` in a thread. The
    function is one of a module's own, and arguments and result can be pickled.
    """
    try:
        if n_chars < _SHORT_CHARS:
            return function(*args)
        if workers is None:
            return await asyncio.to_thread(function, *args)
        return await workers.run(function, *args, timeout_s=_LIMIT_S)
    except (WorkerError, RecursionError):
        return None
