"""Retries and hedges: another attempt after a failed one, or a second beside a slow one."""

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

_MAX_REMEDIES = 8  # fields that a model refuses one after the other in one call

BUDGET_SPENT = " (not retried: the gateway's own limit of retries for this model is reached)"

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Discard = Callable[[T], Awaitable[None]]
"""Disposes of a result that is not used."""


class AttemptFunction(Protocol[T_co]):
    """Makes one attempt: returns its result or raises CallError."""

    def __call__(self, *, hedge: bool) -> Coroutine[Any, Any, T_co]:
        """Make the attempt; `hedge` marks the second of two concurrent ones."""
        ...


@frozen
class Retrying:
    """The attempts at one call.

    `sleep` takes the pauses between them, in seconds, and `random` draws their jitter. `on_retry` is called before each
    retry.
    """

    route: Route
    call: Call
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]
    on_retry: Callable[[], None]

    async def first_good(self, make_attempt: AttemptFunction[T], discard: Discard[T]) -> T:
        """Return the first result; the last attempt's CallError if all have failed and no more are allowed.

        An attempt whose error has a remedy is repeated at once, up to eight times, and does not count as a retry.
        Cancelling this cancels the running attempts. `discard` disposes of a hedge's result that is not used.
        """
        failure: CallError | None = None
        n_retries = n_remedies = 0
        while True:
            try:
                result = await self._make_one(make_attempt, discard)
            except CallError as error:
                if error.kind is Kind.BREAKER_OPEN and failure is not None:
                    raise failure from None  # the failure that opened it is more informative
                failure = error
                if error.has_remedy and n_remedies < _MAX_REMEDIES:
                    n_remedies += 1  # no pause and no budget: the request is a different one
                    continue
            else:
                self.route.quirks.remember(self.call.quirks, self.call.model.name)
                return result
            await self.sleep(self._pause_before_retry(failure, n_retries))
            n_retries += 1

    async def _make_one(self, make_attempt: AttemptFunction[T], discard: Discard[T]) -> T:
        if self.call.model.hedge_after_s is None:
            return await make_attempt(hedge=False)
        return await self._hedge(make_attempt, discard, self.call.model.hedge_after_s)

    def _pause_before_retry(self, failure: CallError, n_retries: int) -> float:
        """Return the pause in seconds before the next attempt; raise the failure if there must be none."""
        route, call = self.route, self.call
        if not failure.retryable or n_retries >= call.model.retries:
            raise failure
        pause_s = retry_policy.pause_s(n_retries, failure.retry_after_s, self.random)
        if route.clock() + pause_s >= call.deadline or route.breaker.status().state is State.OPEN:
            raise failure
        failed = [attempt for attempt in call.attempts if not attempt.hedge][-1:]
        if not route.budget.spend(call.model.name):
            failure.message += BUDGET_SPENT
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

    async def _hedge(self, make_attempt: AttemptFunction[T], discard: Discard[T], after_s: float) -> T:
        """Return the result of one attempt, or of the first good one of two."""
        # A hedge is a second attempt for a slow first one ("The Tail at Scale", Dean and Barroso, 2013). It costs a
        # second answer, so a call has one at most, only while the breaker is closed and a slot is free, and it is paid
        # from the retry budget: a slow upstream must not get twice the traffic. The first attempt keeps running, for it
        # may still win. A failure of one never ends the other; only if both fail is the round a failed attempt, with
        # the failure of the first one. The loser is cancelled, and awaited until its connection is closed.
        if any(attempt.hedge for attempt in self.call.attempts):
            return await make_attempt(hedge=False)
        tasks = [asyncio.create_task(make_attempt(hedge=False))]
        try:
            await asyncio.wait(tasks, timeout=after_s)
            if not tasks[0].done() and self._may_hedge():
                tasks.append(asyncio.create_task(make_attempt(hedge=True)))
            winner = await _first_good(tasks)
            await _end([task for task in tasks if task is not winner], discard)
        except BaseException:
            await _end(tasks, discard)
            raise
        return winner.result()

    def _may_hedge(self) -> bool:
        """Whether a second attempt can start at once within the budget."""
        route = self.route
        return (
            not is_full(route)
            and route.breaker.status().state is State.CLOSED
            and route.budget.spend(self.call.model.name)
        )


async def _first_good(tasks: Sequence[asyncio.Task[T]]) -> asyncio.Task[T]:
    """Return the first task that ends with a result; raise the first task's CallError if none does."""
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
    """Whether a finished attempt has a result. Any exception but CallError is a fault of ours, and raised."""
    try:
        task.result()
    except CallError:
        return False
    return True


async def _end(tasks: Iterable[asyncio.Task[T]], discard: Discard[T]) -> None:
    """Cancel tasks, wait until their connections are closed, and discard their results."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(result, BaseException):
            await discard(result)
