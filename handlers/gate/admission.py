"""How many chat requests run at once: a bounded number, a bounded queue before it, and a clear no beyond that."""

import asyncio
from collections.abc import Callable

from aiohttp import web

from config.settings import Server
from handlers.errors import ApiError
from runtime.slots import Slots

RETRY_AFTER_S = 2


class Admission:
    """First come, first served; within the limits of the server's settings, which may change.

    A request that waits gives up its place when it is cancelled. Belongs to the loop that it is used in.
    """

    def __init__(self) -> None:
        self._slots = Slots(0)
        self._closed: Callable[[], ApiError] | None = None

    @property
    def running(self) -> int:
        """How many requests hold a place."""
        return self._slots.n_taken

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return self._slots.n_waiting

    def take(self, limits: Server) -> bool:
        """Take a place, which `leave` gives back, if one is free, and return whether it was.

        ApiError (503) once it is closed.
        """
        if self._closed is not None:
            raise self._closed()
        self._slots.limit = limits.max_concurrent_requests
        return self._slots.take()

    async def wait(self, limits: Server) -> None:
        """Take a place as soon as one is free, where none is now.

        ApiError (503) where there is no room to wait, where the wait was too long, and once it is closed.
        """
        if self._slots.n_waiting >= limits.max_queued_requests:
            raise _overloaded("as many requests as may wait do wait")
        try:
            async with asyncio.timeout(limits.max_queue_wait_s):
                await self._slots.wait()
        except TimeoutError:
            raise _overloaded(f"no place has become free in {limits.max_queue_wait_s:g} s") from None

    def leave(self) -> None:
        """Give a place back."""
        self._slots.free()

    def fill(self, limits: Server) -> None:
        """Let in whoever there is room for, now that the limits have changed."""
        self._slots.limit = limits.max_concurrent_requests
        self._slots.fill()

    def close(self, refusal: Callable[[], ApiError]) -> None:
        """Refuse from now on, those too who wait; who has a place keeps it."""
        self._closed = refusal
        self._slots.refuse(refusal)

    async def emptied(self) -> None:
        """Wait until nobody holds a place."""
        await self._slots.emptied()


ADMISSION = web.AppKey("admission", Admission)


def _overloaded(why: str) -> ApiError:
    return ApiError(
        503, f"the gateway is overloaded: {why}", code="overloaded", headers={"Retry-After": str(RETRY_AFTER_S)}
    )
