"""Graceful shutdown: refuse new requests, let running ones finish, then end the rest with an error."""

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

LAST_WORDS_S = 1.0  # time to send the error; then connections of clients that do not read it are closed
RETRY_AFTER_S = 5


# Shutdown has three phases. First the admission closes: /readyz says "stopping", waiting and new requests get 503.
# Then running requests have `shutdown_timeout_s`. Those that are left are cancelled inside `bounded()`, which turns the
# cancellation into an ApiError: the handler is still running and can send the error as JSON or as an event of its
# stream. Closing the sockets instead would look like a network fault, and clients would retry a request that was paid
# for. aiohttp's own shutdown comes afterwards, because it closes idle connections before it waits for handlers.


class Shutdown:
    """The state of the shutdown, and the blocks that it cancels when time is up."""

    def __init__(self, admission: Admission) -> None:
        self.has_begun = False
        self._admission = admission
        self._is_overdue = False
        self._running: set[_Bounded] = set()

    def bounded(self) -> "_Bounded":
        """Return a context manager whose block is cancelled when time is up, with ApiError (503, `shutting_down`)."""
        if self._is_overdue:
            raise shutting_down()
        return _Bounded(self._running)

    async def stop(self, timeout_s: float) -> None:
        """Refuse new requests, wait `timeout_s` seconds for running ones, cancel the rest; return when all ended."""
        self.has_begun = True
        self._admission.close(shutting_down)
        _log.info("stopping", running=self._admission.running)
        await _wait_at_most(timeout_s, self._admission.wait_until_empty())
        self.cancel_running()
        await _wait_at_most(LAST_WORDS_S, self._admission.wait_until_empty())

    def cancel_running(self) -> None:
        """Cancel every block inside `bounded`, also those that are entered later."""
        self.has_begun = self._is_overdue = True
        for block in self._running:
            block.cancel()


class _Bounded(CancelScope):
    """A cancellable block that registers itself in `running` while it is entered."""

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
    """Return the error for requests that are refused or cancelled because the gateway stops."""
    return ApiError(503, "the gateway is stopping", code="shutting_down", headers={"Retry-After": str(RETRY_AFTER_S)})


async def _wait_at_most(seconds: float, awaitable: Awaitable[None]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await awaitable
