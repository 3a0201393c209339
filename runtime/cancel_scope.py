"""Ending from outside what waits inside a block: what asyncio.timeout does at its time, without the time."""

import asyncio


class Cuttable:
    """A block of the running task that can be cut: what it waits for is cancelled.

    For the base of a context: `_begin` on entering, and `_was_cut` on leaving, with the kind of the exception that
    leaves. Then it may begin again, also in another task.
    """

    __slots__ = ("_is_cut", "_n_cancelled", "_task")

    def __init__(self) -> None:
        self._task: asyncio.Task[object] | None = None
        self._is_cut = False

    def cut(self) -> None:
        """End what waits in the block, if anything does."""
        if self._task is not None and not self._is_cut:
            self._is_cut = True
            self._task.cancel()

    def _begin(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- only a task can wait, and so be cut
        self._task, self._n_cancelled = task, task.cancelling()

    def _was_cut(self, kind: type[BaseException] | None) -> bool:
        """Tell whether the block ends because it was cut, and for no other reason; its task goes on then."""
        task, self._task = self._task, None
        if not self._is_cut or task is None:
            return False
        self._is_cut = False
        return task.uncancel() <= self._n_cancelled and kind is asyncio.CancelledError
