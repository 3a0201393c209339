"""A byte budget for request bodies that are being read or wait to run, so that clients cannot fill the memory."""

from types import TracebackType
from typing import Self

from aiohttp import web

from config.settings import Server
from handlers.errors import ApiError

FREE_BYTES = 65_536  # of each body: what the server has buffered anyway before a handler sees it
RETRY_AFTER_S = 2


class BodyBudget:
    """The bytes that all bodies hold until their requests run; beyond `max_body_buffer_mb` a body gets 503.

    Only received bytes count, not those that a header announces: otherwise a few sockets could reserve everything. The
    first FREE_BYTES of each body are not counted, so that short requests pass while long ones fill the budget.
    """

    def __init__(self) -> None:
        self.n_bytes = 0
        self.n_bodies = 0

    def reserve(self, limits: Server) -> "BodyReservation":
        """Return a reservation for one body, to be used as a context manager."""
        return BodyReservation(self, int(limits.max_body_buffer_mb * 2**20))


class BodyReservation:
    """The bytes of one body, raw and decoded. Leaving the context gives them back."""

    __slots__ = ("_budget", "_limit", "_n_bytes")

    def __init__(self, budget: BodyBudget, limit: int) -> None:
        self._budget = budget
        self._limit = limit
        self._n_bytes = 0

    def add(self, n_bytes: int) -> None:
        """Count received bytes. Raises ApiError (503) if the budget has no room for them."""
        counted = max(0, self._n_bytes + n_bytes - FREE_BYTES) - max(0, self._n_bytes - FREE_BYTES)
        if counted and self._budget.n_bytes + counted > self._limit:
            raise ApiError(
                503,
                "too many request bodies are being received; retry later or raise server.max_body_buffer_mb",
                code="overloaded",
                headers={"Retry-After": str(RETRY_AFTER_S), "Connection": "close"},
            )
        self._n_bytes += n_bytes
        self._budget.n_bytes += counted

    def __enter__(self) -> Self:
        self._budget.n_bodies += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._budget.n_bodies -= 1
        self._budget.n_bytes -= max(0, self._n_bytes - FREE_BYTES)
        self._n_bytes = 0


BODY_BUDGET = web.AppKey("body_budget", BodyBudget)
