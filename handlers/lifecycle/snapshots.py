"""The configuration in force, and those before it that requests still use."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

from aiohttp import web

from handlers.context import Snapshot


class Snapshots:
    """One `Snapshot` for new requests; each request keeps the one that it began with.

    `end` is awaited for a snapshot that was replaced, as soon as its last request has ended, and for every other one by
    `close`. Belongs to the running loop.
    """

    def __init__(self, first: Snapshot, end: Callable[[Snapshot], Awaitable[None]]) -> None:
        self._newest = _Entry(first)
        self._end = end
        self._alive = {self._newest}
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def current(self) -> Snapshot:
        """What new requests get."""
        return self._newest.snapshot

    @property
    def alive(self) -> tuple[Snapshot, ...]:
        """The current snapshot, and the replaced ones that are in use."""
        return tuple(entry.snapshot for entry in self._alive)

    def lease(self) -> "_Lease":
        """Give the current snapshot, which stays usable for as long as the block runs."""
        return _Lease(self._newest, self._end_unused)

    def replace(self, snapshot: Snapshot) -> None:
        """Give this snapshot to requests that come from now on."""
        before, self._newest = self._newest, _Entry(snapshot)
        self._alive.add(self._newest)
        self._end_unused(before)

    async def close(self) -> None:
        """End every snapshot; no lease may be left."""
        for entry in tuple(self._alive):
            self._begin_end(entry)
        await asyncio.gather(*self._ending)

    def _end_unused(self, entry: "_Entry") -> None:
        if entry is not self._newest and not entry.n_leases:
            self._begin_end(entry)

    def _begin_end(self, entry: "_Entry") -> None:
        if entry in self._alive:
            self._alive.remove(entry)
            task = asyncio.ensure_future(self._end(entry.snapshot))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


class _Entry:
    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.n_leases = 0


class _Lease:
    """A entry in use, as a context. A class, because every request enters it."""

    __slots__ = ("_entry", "_over")

    def __init__(self, entry: _Entry, over: Callable[[_Entry], None]) -> None:
        self._entry = entry
        self._over = over

    def __enter__(self) -> Snapshot:
        self._entry.n_leases += 1
        return self._entry.snapshot

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entry.n_leases -= 1
        if not self._entry.n_leases:
            self._over(self._entry)


SNAPSHOTS = web.AppKey("snapshots", Snapshots)
