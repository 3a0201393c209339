"""Admission control: a bounded number of chat requests runs, a bounded queue waits, the rest get 503."""

import asyncio
from collections.abc import Callable

from aiohttp import web

from config.settings import Server
from handlers.errors import ApiError
from runtime.slots import Slots

RETRY_AFTER_S = 2


# Why a queue at all: agents send bursts, and a burst that is refused comes back as retries. A short wait costs less
# than that. Why both the queue and the wait are bounded: a request that waited longer than its client's patience is
# wasted work, and every request behind it waits for that work, so an overloaded gateway would answer none in time.
# A refused request gets its 503 at once with Retry-After, which all SDKs obey.


class Admission:
    """A FIFO queue for places to run, within the limits of the server's settings, which may change at a reload.

    A waiting request that is cancelled leaves the queue. Belongs to the event loop that it is used in.
    """

    def __init__(self) -> None:
        self._slots = Slots(0)
        self._closed: Callable[[], ApiError] | None = None

    @property
    def running(self) -> int:
        """The number of requests that hold a place."""
        return self._slots.n_taken

    @property
    def waiting(self) -> int:
        """The number of requests that wait for one."""
        return self._slots.n_waiting

    def check_room(self, limits: Server) -> None:
        """Refuse a request before its body is read. Raises ApiError (503) if the queue is full, and after `close`."""
        if self._closed is not None:
            raise self._closed()
        if (
            self._slots.n_taken >= limits.max_concurrent_requests
            and self._slots.n_waiting >= limits.max_queued_requests
        ):
            raise _queue_is_full()

    def try_enter(self, limits: Server) -> bool:
        """Take a place if one is free, and return whether it was; give it back by `leave`.

        Raises ApiError (503) after `close`.
        """
        if self._closed is not None:
            raise self._closed()
        self._slots.limit = limits.max_concurrent_requests
        return self._slots.take()

    async def enter(self, limits: Server) -> None:
        """Wait for a place and take it; give it back by `leave`.

        Raises ApiError (503) if the queue is full, after `max_queue_wait_s`, and after `close`.
        """
        if self._closed is not None:
            raise self._closed()
        if self._slots.n_waiting >= limits.max_queued_requests:
            raise _queue_is_full()
        try:
            async with asyncio.timeout(limits.max_queue_wait_s):
                await self._slots.wait()
        except TimeoutError:
            waited = f"{limits.max_queue_wait_s:g} s"
            raise _overloaded(
                f"no request finished within {waited}; retry later or raise server.max_concurrent_requests"
            ) from None

    def leave(self) -> None:
        """Give the place back."""
        self._slots.free()

    def apply_limits(self, limits: Server) -> None:
        """Admit waiting requests for which changed limits have room."""
        self._slots.limit = limits.max_concurrent_requests
        self._slots.fill()

    def close(self, refusal: Callable[[], ApiError]) -> None:
        """Refuse new and waiting requests from now on; running ones keep their places."""
        self._closed = refusal
        self._slots.refuse(refusal)

    async def wait_until_empty(self) -> None:
        """Wait until no request holds a place."""
        await self._slots.wait_until_empty()


ADMISSION = web.AppKey("admission", Admission)


def _queue_is_full() -> ApiError:
    return _overloaded("the request queue is full; retry later or raise server.max_queued_requests")


def _overloaded(why: str) -> ApiError:
    return ApiError(503, why, code="overloaded", headers={"Retry-After": str(RETRY_AFTER_S)}, logged=why)
