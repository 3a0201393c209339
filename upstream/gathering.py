"""Running several calls at once, and returning each outcome as it settles."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from upstream.calls import Call
from upstream.errors import CallError

Outcome = dict[str, Any] | CallError


class Settled(NamedTuple):
    """A call and its outcome: a checked completion, or the CallError."""

    call: Call
    outcome: Outcome


class Complete(Protocol):
    """Makes one call."""

    def __call__(self, call: Call, *, on_retry: Callable[[], None]) -> Awaitable[dict[str, Any]]:
        """Return the checked completion, or raise CallError. `on_retry` is called before each retry."""
        ...


class Gathering:
    """Calls that run concurrently, as a context: all start on entering.

    Leaving the context in any way cancels the calls that still run, and waits until their connections are closed.

    Why neither `asyncio.as_completed` nor a TaskGroup: how long to wait depends on what has happened so far. A panel
    waits for all, but after a quorum only for the grace period, and longer for a call whose retry may still succeed. So
    the caller gives `next` a function from the pending calls to an instant, and it is asked again after every change: a
    call that settled, or that began to retry. One future is the signal for all changes; nothing polls.
    """

    def __init__(self, calls: Sequence[Call], complete: Complete, clock: Callable[[], float]) -> None:
        self._calls = calls
        self._complete = complete
        self._clock = clock
        self._tasks: dict[asyncio.Task[Outcome], Call] = {}
        self._change: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        for call in self._calls:
            task = asyncio.create_task(self._settle(call))
            task.add_done_callback(lambda _: self._note_change())
            self._tasks[task] = call
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def pending(self) -> tuple[Call, ...]:
        """The calls whose outcome has not been returned yet."""
        return tuple(self._tasks.values())

    async def next(self, until: Callable[[Sequence[Call]], float | None]) -> Settled | None:
        """Return the next call to settle; None at the instant that `until` gives, or once all have been returned.

        `until` receives the pending calls; None from it means no limit. It is called again whenever a call settles or
        begins to retry. An outcome that is available is returned even after the instant.
        """
        while self._tasks:
            settled = self._pop_settled()
            if settled is not None:
                return settled
            limit = until(self.pending)
            remaining_s = None if limit is None else limit - self._clock()
            if remaining_s is not None and remaining_s <= 0:
                await asyncio.sleep(0)  # on a busy loop an answer may arrive in the very turn in which the wait ends
                return self._pop_settled()
            await self._wait_for_change(remaining_s)
        return None

    def _pop_settled(self) -> Settled | None:
        done = next((task for task in self._tasks if task.done()), None)
        return None if done is None else Settled(self._tasks.pop(done), done.result())

    async def _wait_for_change(self, limit_s: float | None) -> None:
        """Wait until a call settles or begins to retry, at most for `limit_s` seconds."""
        loop = asyncio.get_running_loop()
        self._change = loop.create_future()
        timer = None if limit_s is None else loop.call_later(limit_s, self._note_change)
        try:
            await self._change
        finally:
            self._change = None
            if timer is not None:
                timer.cancel()

    def _note_change(self) -> None:
        if self._change is not None and not self._change.done():
            self._change.set_result(None)

    async def _settle(self, call: Call) -> Outcome:
        try:
            return await self._complete(call, on_retry=self._note_change)
        except CallError as error:
            return error
