"""Sums up the usage of ended requests, and writes it to the store in batches in the background."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from runtime.background import Background
from store.calendar import Calendar
from store.store import Amount, Batch, Store, Usage, UsageKey, to_units

WRITE_EVERY_S = 1.0

# When usage is written.
#
# A request with a limit is written at once, because its reservation may keep others from starting. The others are
# added up here and written once a second: no request depends on them, and a killed process loses only a second of
# statistics. One batch is written at a time; what ends meanwhile goes into the next, so a busy store gets fewer and
# larger batches.


class ModelUse(Struct, frozen=True):
    """The usage of a model by one request; `cost` is that of the tokens with a price, in money."""

    model: str
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cost: Decimal = Decimal(0)


class _Sum:
    """A sum that grows in place, because every request adds to several."""

    __slots__ = ("cached", "completion", "cost", "prompt", "requests")

    def __init__(self) -> None:
        self.requests = self.prompt = self.completion = self.cached = 0
        self.cost = Decimal(0)

    def add(self, use: ModelUse) -> None:
        self.requests += 1
        self.prompt += use.prompt
        self.completion += use.completion
        self.cached += use.cached
        self.cost += use.cost

    def as_amount(self) -> Amount:
        return Amount(self.prompt + self.completion, to_units(self.cost))

    def as_usage(self) -> Usage:
        return Usage(self.requests, self.prompt, self.completion, self.cached, to_units(self.cost))


_REQUEST = ModelUse("")


class Recorder:
    """Writes charges, released reservations and usage to a store. Belongs to one event loop."""

    def __init__(self, store: Store, calendar: Calendar, background: Background) -> None:
        self._store = store
        self._calendar = calendar
        self._background = background
        self._writer = secrets.token_hex(8)
        self._number = 0
        self._charges = defaultdict[tuple[int, str], _Sum](_Sum)
        self._released: list[str] = []
        self._usage = defaultdict[tuple[int, str, str, str], _Sum](_Sum)
        self._timer: asyncio.TimerHandle | None = None
        self._is_writing = False

    def add(
        self, accounts: Sequence[str], client: str, mixture: str, uses: Sequence[ModelUse], claim: str | None
    ) -> None:
        """Add a request that has ended; with a `claim`, which is released, it is written at once."""
        today = self._calendar.today()
        for use in uses:
            self._usage[today, client, mixture, use.model].add(use)
            for account in accounts:
                self._charges[today, account].add(use)
        self._usage[today, client, mixture, ""].add(_REQUEST)
        if claim is not None:
            self._released.append(claim)
            self._start_writing()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_EVERY_S, self._start_writing)

    def release(self, claim: str) -> None:
        """Release the reservation of a request that never began."""
        self._released.append(claim)
        self._start_writing()

    def find_pending(self) -> Mapping[str, Amount]:
        """Return the charges that are not yet written, by account."""
        today = self._calendar.today()
        return {account: each.as_amount() for (day, account), each in self._charges.items() if day == today}

    async def close(self) -> None:
        """Write the rest."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._is_writing:
            await self._write()

    def _start_writing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._is_writing:
            self._is_writing = True
            self._background.run(self._write())

    async def _write(self) -> None:
        self._is_writing = True
        try:
            while self._usage or self._released:
                await self._store.record(self._take_batch())
        finally:
            self._is_writing = False

    def _take_batch(self) -> Batch:
        """Return the sums as a batch, and begin new ones. Charges of yesterday no longer count for any budget."""
        today = self._calendar.today()
        self._number += 1
        batch = Batch(
            self._writer,
            self._number,
            today,
            self._calendar.now(),
            {account: each.as_amount() for (day, account), each in self._charges.items() if day == today},
            tuple(self._released),
            {UsageKey(*key): each.as_usage() for key, each in self._usage.items()},
        )
        self._charges, self._released, self._usage = defaultdict(_Sum), [], defaultdict(_Sum)
        return batch
