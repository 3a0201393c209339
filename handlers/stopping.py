"""An end that clients understand: no new requests, time for those that run, and then an error rather than a cut."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from types import TracebackType

import structlog
from aiohttp import web

from handlers.admission import Admission
from handlers.errors import ApiError

_log = structlog.get_logger(__name__)

LAST_WORDS_S = 1.0  # for the error to go out; who does not read it by then is cut off
RETRY_AFTER_S = 5


class Stopping:
    """Whether the gateway is stopping, and the end of what runs for too long by then."""

    def __init__(self, admission: Admission) -> None:
        self.begun = False
        self._admission = admission
        self._is_overdue = False
        self._bounds: set[asyncio.Timeout] = set()

    def bounded(self) -> "_Bounded":
        """Run the block; once the gateway can wait no longer, cancel it: ApiError (503, `shutting_down`)."""
        return _Bounded(asyncio.timeout(0 if self._is_overdue else None), self._bounds)

    async def stop(self, timeout_s: float) -> None:
        """Refuse what comes, give what runs `timeout_s` seconds, then end it; returns when it has ended."""
        self.begun = True
        self._admission.close(shutting_down)
        _log.info("stopping", running=self._admission.running)
        await _at_most(timeout_s, self._admission.emptied())
        self.cut()
        await _at_most(LAST_WORDS_S, self._admission.emptied())

    def cut(self) -> None:
        """End whatever runs in `bounded`, and what will."""
        self.begun = self._is_overdue = True
        now = asyncio.get_running_loop().time()
        for bound in self._bounds:
            bound.reschedule(now)


class _Bounded:
    """A block whose time-out is among `bounds` while it runs. A class, because every request enters it."""

    __slots__ = ("_bound", "_bounds")

    def __init__(self, bound: asyncio.Timeout, bounds: set[asyncio.Timeout]) -> None:
        self._bound = bound
        self._bounds = bounds

    async def __aenter__(self) -> None:
        await self._bound.__aenter__()
        self._bounds.add(self._bound)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bounds.discard(self._bound)
        try:
            await self._bound.__aexit__(kind, error, traceback)
        except TimeoutError:
            raise shutting_down() from None


STOPPING = web.AppKey("stopping", Stopping)


def shutting_down() -> ApiError:
    """Return what a client is told that is not served because the gateway ends."""
    return ApiError(503, "the gateway is stopping", code="shutting_down", headers={"Retry-After": str(RETRY_AFTER_S)})


async def _at_most(seconds: float, waited_for: Awaitable[None]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await waited_for
