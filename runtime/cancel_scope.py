"""A cancel scope: a block of the running task that can be ended from outside.

`asyncio.timeout` is such a block, but only a clock can end it. Shutdown and the timers of an attempt need the same
without a timer of the loop for each block.

The hard part is to distinguish two cancellations: ours, after which the task continues, and any other, after which it
must not. `Task.cancelling` counts the requests. The scope remembers the count on entering, adds its own request, and
removes it on leaving. If the count then equals the remembered one, there was no other request. This is the protocol of
`asyncio.Timeout`, and of trio's cancel scopes before it.
"""

import asyncio


class CancelScope:
    """A block of the running task that `cancel` ends by cancelling whatever it waits for.

    A base class for context managers: call `_enter` on entering, and `_leave` on leaving, with the type of the
    exception that leaves. Afterwards it may be entered again, also by another task.
    """

    __slots__ = ("_is_cancelled", "_n_cancelled", "_task")

    def __init__(self) -> None:
        self._task: asyncio.Task[object] | None = None
        self._is_cancelled = False

    def cancel(self) -> None:
        """End the block if a task is in it; do nothing otherwise."""
        if self._task is not None and not self._is_cancelled:
            self._is_cancelled = True
            self._task.cancel()

    def _enter(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- only a task can wait, and so be cancelled
        self._task, self._n_cancelled = task, task.cancelling()

    def _leave(self, kind: type[BaseException] | None) -> bool:
        """Return whether the block ends because of `cancel` and for no other reason; its task goes on then."""
        task, self._task = self._task, None
        if not self._is_cancelled or task is None:
            return False
        self._is_cancelled = False
        return task.uncancel() <= self._n_cancelled and kind is asyncio.CancelledError
