"""A FIFO semaphore whose limit may change while tasks wait."""

import asyncio
from collections import deque
from collections.abc import Callable


class Slots:
    """A FIFO semaphore: at most `limit` slots are taken, and waiting tasks get theirs in the order of their arrival.

    `asyncio.Semaphore` has a fixed limit, and can neither be tried without waiting nor be drained. Every slot that was
    taken is given back with `free`. After raising `limit`, call `fill` to admit waiting tasks. Belongs to one loop.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.n_taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._emptied = asyncio.Event()

    @property
    def n_waiting(self) -> int:
        """The number of tasks that wait for a slot."""
        return len(self._waiting)

    def is_full(self) -> bool:
        """Whether a new task has to wait: no slot is free, or other tasks already wait."""
        return self.n_taken >= self.limit or bool(self._waiting)

    def take(self) -> bool:
        """Take a slot if that is possible without waiting, and return whether it was."""
        if self.n_taken >= self.limit or self._waiting:
            return False
        self.n_taken += 1
        return True

    async def wait(self) -> None:
        """Take a slot, after waiting for it if necessary; a task that is cancelled holds none."""
        if self.take():
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled() and turn.exception() is None:  # it got a slot, and was cancelled in the same turn
                self.free()
            raise

    def free(self) -> None:
        """Give a slot back, to the first waiting task if there is one."""
        self.n_taken -= 1
        if self._waiting:
            self.fill()
        if not self.n_taken:
            self._emptied.set()

    async def wait_until_empty(self) -> None:
        """Wait until no slot is taken."""
        while self.n_taken:
            self._emptied.clear()
            await self._emptied.wait()

    def fill(self) -> None:
        """Admit as many waiting tasks as the limit allows."""
        while self._waiting and self.n_taken < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.n_taken += 1
                turn.set_result(None)

    def refuse(self, reason: Callable[[], Exception]) -> None:
        """Raise a new exception from `reason` in each waiting task."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(reason())
