"""Several calls at once, each outcome as it settles, and an end to the waiting whenever the caller has enough."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from upstream.calls import Call
from upstream.errors import CallError

Outcome = dict[str, Any] | CallError


class Settled(NamedTuple):
    """A call, and a checked completion or why there is none."""

    call: Call
    outcome: Outcome


class Complete(Protocol):
    """Carries out one call: a checked completion, or CallError."""

    def __call__(self, call: Call, *, on_retry: Callable[[], None]) -> Awaitable[dict[str, Any]]:
        """Return the completion; `on_retry` hears that an attempt has failed and another one is to come."""
        ...


class Gathering:
    """Calls that run side by side, as a context: all start on entering.

    Leaving it, in whichever way, cancels those that still run, and waits until their connections are closed.
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
        """The calls whose outcome has not been handed out."""
        return tuple(self._tasks.values())

    async def next(self, until: Callable[[Sequence[Call]], float | None]) -> Settled | None:
        """Return the next call to settle; None at the instant that `until` gives, or once all have been returned.

        `until` is given the pending calls, and None from it is no limit. It is asked again whenever a call settles or
        begins to be tried again. An outcome that is there already is returned also after the instant.
        """
        while self._tasks:
            settled = self._settled()
            if settled is not None:
                return settled
            limit = until(self.pending)
            remaining_s = None if limit is None else limit - self._clock()
            if remaining_s is not None and remaining_s <= 0:
                await asyncio.sleep(0)  # a busy loop may find an answer and the end of the waiting at once
                return self._settled()
            await self._changed(remaining_s)
        return None

    def _settled(self) -> Settled | None:
        done = next((task for task in self._tasks if task.done()), None)
        return None if done is None else Settled(self._tasks.pop(done), done.result())

    async def _changed(self, most_s: float | None) -> None:
        """Wait until a call settles or is tried again, or for so many seconds."""
        loop = asyncio.get_running_loop()
        self._change = loop.create_future()
        limit = None if most_s is None else loop.call_later(most_s, self._note_change)
        try:
            await self._change
        finally:
            self._change = None
            if limit is not None:
                limit.cancel()

    def _note_change(self) -> None:
        if self._change is not None and not self._change.done():
            self._change.set_result(None)

    async def _settle(self, call: Call) -> Outcome:
        try:
            return await self._complete(call, on_retry=self._note_change)
        except CallError as error:
            return error
