"""How many chat requests run at once: a bounded number, a bounded queue before it, and a clear no beyond that."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType

from aiohttp import web

from config.settings import Server
from handlers.errors import ApiError

RETRY_AFTER_S = 2


class Admission:
    """First come, first served. `limits` gives the server's settings as they are now.

    A request that waits gives up its place when it is cancelled. Belongs to the loop that it is used in.
    """

    def __init__(self, limits: Callable[[], Server]) -> None:
        self._limits = limits
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._running = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self._closed: Callable[[], ApiError] | None = None

    @property
    def running(self) -> int:
        """How many requests hold a place."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._waiting)

    def place(self) -> "_Place":
        """Hold a place for the block, and give whether it was waited for.

        ApiError (503) where there is no room to wait, where the wait was too long, and once it is closed.
        """
        return _Place(self.enter, self.leave)

    def fill(self) -> None:
        """Let in whoever there is room for, also after the limits have changed."""
        while self._waiting and self._running < self._limits().max_concurrent_requests:
            place = self._waiting.popleft()
            if not place.done():
                self._take()
                place.set_result(None)
        if not self._running:
            self._empty.set()

    def close(self, refusal: Callable[[], ApiError]) -> None:
        """Refuse from now on, those too who wait; who has a place keeps it."""
        self._closed = refusal
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_exception(refusal())

    async def emptied(self) -> None:
        """Wait until nobody holds a place."""
        await self._empty.wait()

    def leave(self) -> None:
        """Give a place back."""
        self._running -= 1
        self.fill()

    async def enter(self) -> bool:
        """Take a place, and return whether it was waited for; ApiError as in `place`, which gives it back."""
        if self._closed is not None:
            raise self._closed()
        limits = self._limits()
        if self._running < limits.max_concurrent_requests and not self._waiting:
            self._take()
            return False
        if len(self._waiting) >= limits.max_queued_requests:
            raise _overloaded("as many requests as may wait do wait")
        await self._wait(limits.max_queue_wait_s)
        return True

    def _take(self) -> None:
        self._running += 1
        self._empty.clear()

    async def _wait(self, most_s: float) -> None:
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(most_s):
                await place
        except BaseException as error:
            if place in self._waiting:
                self._waiting.remove(place)
            elif place.done() and not place.cancelled() and place.exception() is None:  # let in, and gone meanwhile
                self.leave()
            if isinstance(error, TimeoutError):
                raise _overloaded(f"no place has become free in {most_s:g} s") from None
            raise


class _Place:
    """A place as a context. A class, because every request enters it."""

    __slots__ = ("_enter", "_leave")

    def __init__(self, enter: Callable[[], Awaitable[bool]], leave: Callable[[], None]) -> None:
        self._enter = enter
        self._leave = leave

    async def __aenter__(self) -> bool:
        return await self._enter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave()


ADMISSION = web.AppKey("admission", Admission)


def _overloaded(why: str) -> ApiError:
    return ApiError(
        503, f"the gateway is overloaded: {why}", code="overloaded", headers={"Retry-After": str(RETRY_AFTER_S)}
    )
