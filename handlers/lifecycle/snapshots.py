"""The configuration in force, and those before it that requests still use."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

from aiohttp import web

from handlers.context import State


class Generations:
    """One `State` for new requests; each request keeps the one that it began with.

    `end` is awaited for a state that was replaced, as soon as its last request has ended, and for every other one by
    `close`. Belongs to the running loop.
    """

    def __init__(self, first: State, end: Callable[[State], Awaitable[None]]) -> None:
        self._newest = _Generation(first)
        self._end = end
        self._alive = {self._newest}
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def current(self) -> State:
        """What new requests get."""
        return self._newest.state

    @property
    def alive(self) -> tuple[State, ...]:
        """The current state, and the replaced ones that are in use."""
        return tuple(generation.state for generation in self._alive)

    def lease(self) -> "_Lease":
        """Give the current state, which stays usable for as long as the block runs."""
        return _Lease(self._newest, self._end_unused)

    def replace(self, state: State) -> None:
        """Give this state to requests that come from now on."""
        before, self._newest = self._newest, _Generation(state)
        self._alive.add(self._newest)
        self._end_unused(before)

    async def close(self) -> None:
        """End every state; no lease may be left."""
        for generation in tuple(self._alive):
            self._begin_end(generation)
        await asyncio.gather(*self._ending)

    def _end_unused(self, generation: "_Generation") -> None:
        if generation is not self._newest and not generation.n_leases:
            self._begin_end(generation)

    def _begin_end(self, generation: "_Generation") -> None:
        if generation in self._alive:
            self._alive.remove(generation)
            task = asyncio.ensure_future(self._end(generation.state))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


class _Generation:
    def __init__(self, state: State) -> None:
        self.state = state
        self.n_leases = 0


class _Lease:
    """A generation in use, as a context. A class, because every request enters it."""

    __slots__ = ("_generation", "_over")

    def __init__(self, generation: _Generation, over: Callable[[_Generation], None]) -> None:
        self._generation = generation
        self._over = over

    def __enter__(self) -> State:
        self._generation.n_leases += 1
        return self._generation.state

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._generation.n_leases -= 1
        if not self._generation.n_leases:
            self._over(self._generation)


GENERATIONS = web.AppKey("generations", Generations)
