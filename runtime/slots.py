"""So many at once, and the others in the order in which they came."""

import asyncio
from collections import deque
from collections.abc import Callable


class Slots:
    """At most `limit` at once; who waits gives up when cancelled. Belongs to the loop that it is used in.

    Every slot that was taken is given back, by `free`. `limit` may change, and `fill` lets those in for whom there is
    room then.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.n_taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._emptied = asyncio.Event()

    @property
    def n_waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiting)

    def is_full(self) -> bool:
        """Whether who comes now has to wait: no slot is free, or others wait for it."""
        return self.n_taken >= self.limit or bool(self._waiting)

    def take(self) -> bool:
        """Take a slot if that is possible at once, and return whether it was."""
        if self.n_taken >= self.limit or self._waiting:
            return False
        self.n_taken += 1
        return True

    async def wait(self) -> None:
        """Take a slot as soon as it is one's turn; who is cancelled has none."""
        if self.take():
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled() and turn.exception() is None:  # let in, and gone meanwhile
                self.free()
            raise

    def free(self) -> None:
        """Give a slot back."""
        self.n_taken -= 1
        if self._waiting:
            self.fill()
        if not self.n_taken:
            self._emptied.set()

    async def emptied(self) -> None:
        """Wait until nobody has a slot."""
        while self.n_taken:
            self._emptied.clear()
            await self._emptied.wait()

    def fill(self) -> None:
        """Let in whoever there is room for."""
        while self._waiting and self.n_taken < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.n_taken += 1
                turn.set_result(None)

    def refuse(self, reason: Callable[[], Exception]) -> None:
        """Raise this for each who waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(reason())
