"""As many attempts as a call may have: one after the other where they fail, two side by side where one is slow."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import structlog

from runtime.frozen import frozen
from upstream import retry_policy
from upstream.attempts import Route, is_full
from upstream.breaker import State
from upstream.calls import Call
from upstream.errors import CallError, Kind

_log = structlog.get_logger(__name__)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Attempting(Protocol[T_co]):
    """Makes one attempt: its result, or CallError."""

    def __call__(self, *, hedge: bool) -> Coroutine[Any, Any, T_co]:
        """Return the attempt, which `hedge` marks as the second of two side by side."""
        ...


@frozen
class Retrying:
    """The attempts at one call.

    `sleep` passes the pauses between them, in seconds, and `random` draws their jitter; `on_retry` hears that an
    attempt has failed and another one is to come.
    """

    route: Route
    call: Call
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]
    on_retry: Callable[[], None]

    async def first_good(self, attempting: Attempting[T], discard: Callable[[T], Awaitable[None]]) -> T:
        """Return the first result; CallError of the last attempt where none has one and no more may be made.

        Cancelling it cancels the attempts that run. `discard` disposes of a result that comes second.
        """
        failure: CallError | None = None
        n_retries = 0
        while True:
            try:
                if self.call.model.hedge_after_s is None:
                    return await attempting(hedge=False)
                return await self._hedged(attempting, discard, self.call.model.hedge_after_s)
            except CallError as error:
                if error.kind is Kind.BREAKER_OPEN and failure is not None:
                    raise failure from None  # what opened it tells more
                failure = error
            await self.sleep(self._pause_before_retry(failure, n_retries))
            n_retries += 1

    def _pause_before_retry(self, failure: CallError, n_retries: int) -> float:
        """Return the pause in seconds before the next attempt; raise the failure where there is to be none."""
        route, call = self.route, self.call
        if not failure.retryable or n_retries >= call.model.retries:
            raise failure
        pause_s = retry_policy.pause_s(n_retries, failure.retry_after_s, self.random)
        if route.clock() + pause_s >= call.deadline or route.breaker.status().state is State.OPEN:
            raise failure
        failed = [attempt for attempt in call.attempts if not attempt.hedge][-1:]
        if not route.budget.spend():
            failure.message += " (not tried again: the upstream's retry budget is spent)"
            for attempt in failed:
                attempt.message = failure.message
            _log.info("retry budget spent", model=call.model.name, role=call.role)
            raise failure
        for attempt in failed:
            attempt.pause_s = pause_s
        if call.retrying_since is None:
            call.retrying_since = route.clock()
        self.on_retry()
        return pause_s

    async def _hedged(self, attempting: Attempting[T], discard: Callable[[T], Awaitable[None]], after_s: float) -> T:
        """Return the result of one attempt, or of the first good one of two."""
        if any(attempt.hedge for attempt in self.call.attempts):
            return await attempting(hedge=False)
        tasks = [asyncio.create_task(attempting(hedge=False))]
        try:
            await asyncio.wait(tasks, timeout=after_s)
            if not tasks[0].done() and self._may_hedge():
                tasks.append(asyncio.create_task(attempting(hedge=True)))
            winner = await _first_good(tasks)
            await _end([task for task in tasks if task is not winner], discard)
        except BaseException:
            await _end(tasks, discard)
            raise
        return winner.result()

    def _may_hedge(self) -> bool:
        """Whether a second attempt can start at once, and the budget pays for it."""
        route = self.route
        return not is_full(route) and route.breaker.status().state is State.CLOSED and route.budget.spend()


async def _first_good(tasks: Sequence[asyncio.Task[T]]) -> asyncio.Task[T]:
    """Return the first task that ends with a result; the first task's CallError where none does."""
    pending = set(tasks)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in done and _has_result(task):
                return task
    failure = tasks[0].exception()
    assert failure is not None  # noqa: S101 -- every task is done, and none has a result
    raise failure


def _has_result(task: asyncio.Task[T]) -> bool:
    """Whether a finished attempt is good; what is no CallError is a fault of our own, and raised."""
    try:
        task.result()
    except CallError:
        return False
    return True


async def _end(tasks: Iterable[asyncio.Task[T]], discard: Callable[[T], Awaitable[None]]) -> None:
    """Cancel tasks, wait until their connections are closed, and dispose of what they have brought."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(result, BaseException):
            await discard(result)
