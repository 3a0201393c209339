"""An end that clients understand: no new requests, time for those that run, and then an error rather than a cut."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from types import TracebackType

import structlog
from aiohttp import web

from handlers.errors import ApiError
from handlers.gate.admission import Admission
from runtime.cancel_scope import CancelScope

_log = structlog.get_logger(__name__)

LAST_WORDS_S = 1.0  # for the error to go out; who does not read it by then is cut off
RETRY_AFTER_S = 5


class Shutdown:
    """Whether the gateway is stopping, and the end of what runs for too long by then."""

    def __init__(self, admission: Admission) -> None:
        self.begun = False
        self._admission = admission
        self._is_overdue = False
        self._running: set[_Bounded] = set()

    def bounded(self) -> "_Bounded":
        """Run the block; once the gateway can wait no longer, cancel it: ApiError (503, `shutting_down`)."""
        if self._is_overdue:
            raise shutting_down()
        return _Bounded(self._running)

    async def stop(self, timeout_s: float) -> None:
        """Refuse what comes, give what runs `timeout_s` seconds, then end it; returns when it has ended."""
        self.begun = True
        self._admission.close(shutting_down)
        _log.info("stopping", running=self._admission.running)
        await _at_most(timeout_s, self._admission.wait_until_empty())
        self.cut()
        await _at_most(LAST_WORDS_S, self._admission.wait_until_empty())

    def cut(self) -> None:
        """End whatever runs in `bounded`, and what will."""
        self.begun = self._is_overdue = True
        for block in self._running:
            block.cancel()


class _Bounded(CancelScope):
    """A cancel scope among those that are `running` while it is."""

    __slots__ = ("_running",)

    def __init__(self, running: "set[_Bounded]") -> None:
        super().__init__()
        self._running = running

    def __enter__(self) -> None:
        self._enter()
        self._running.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._running.discard(self)
        if self._leave(kind):
            raise shutting_down() from None


SHUTDOWN = web.AppKey("shutdown", Shutdown)


def shutting_down() -> ApiError:
    """Return what a client is told that is not served because the gateway ends."""
    return ApiError(503, "the gateway is stopping", code="shutting_down", headers={"Retry-After": str(RETRY_AFTER_S)})


async def _at_most(seconds: float, waited_for: Awaitable[None]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await waited_for
