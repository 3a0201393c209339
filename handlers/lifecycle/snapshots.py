"""The configuration snapshot in force, and earlier ones that running requests still use."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

from aiohttp import web

from handlers.context import Snapshot

# How a reload reaches requests: every request leases the current snapshot at its start and keeps it to its end, so no
# request ever sees half of a new configuration, and handlers need no locks. A replaced snapshot lives until its lease
# count is zero; only then are its connections closed, because closing them earlier would cut running answers. Counting
# leases is enough: a reload cannot interrupt between reading `current` and taking the lease, as neither awaits.


class Snapshots:
    """Gives each request the current `Snapshot`, and ends replaced ones after their last request.

    `end` is awaited once for each snapshot: after its last request if it was replaced, else in `close`. Use it on one
    event loop only.
    """

    def __init__(self, first: Snapshot, end: Callable[[Snapshot], Awaitable[None]]) -> None:
        self._newest = _Entry(first)
        self._end = end
        self._alive = {self._newest}
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def current(self) -> Snapshot:
        """The snapshot for new requests."""
        return self._newest.snapshot

    @property
    def alive(self) -> tuple[Snapshot, ...]:
        """The current snapshot and the replaced ones that are still in use."""
        return tuple(entry.snapshot for entry in self._alive)

    def lease(self) -> "_Lease":
        """Return a context manager that gives the current snapshot and keeps it usable inside the block."""
        return _Lease(self._newest, self._end_if_unused)

    def replace(self, snapshot: Snapshot) -> None:
        """Use this snapshot for new requests."""
        before, self._newest = self._newest, _Entry(snapshot)
        self._alive.add(self._newest)
        self._end_if_unused(before)

    async def close(self) -> None:
        """End every snapshot; no lease may be left."""
        for entry in tuple(self._alive):
            self._start_end(entry)
        await asyncio.gather(*self._ending)

    def _end_if_unused(self, entry: "_Entry") -> None:
        if entry is not self._newest and not entry.n_leases:
            self._start_end(entry)

    def _start_end(self, entry: "_Entry") -> None:
        if entry in self._alive:
            self._alive.remove(entry)
            task = asyncio.ensure_future(self._end(entry.snapshot))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


class _Entry:
    """A snapshot with the number of requests that use it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.n_leases = 0


class _Lease:
    """The context manager of one lease. A class rather than a generator, because every request enters one."""

    __slots__ = ("_entry", "_on_release")

    def __init__(self, entry: _Entry, on_release: Callable[[_Entry], None]) -> None:
        self._entry = entry
        self._on_release = on_release

    def __enter__(self) -> Snapshot:
        self._entry.n_leases += 1
        return self._entry.snapshot

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entry.n_leases -= 1
        if not self._entry.n_leases:
            self._on_release(self._entry)


SNAPSHOTS = web.AppKey("snapshots", Snapshots)
