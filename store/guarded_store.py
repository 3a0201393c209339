"""A store whose failures cost no answer: memory replaces it while it fails, and is merged into it afterwards."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from runtime.background import Background
from store.calendar import Calendar
from store.memory import MemoryStore
from store.store import (
    NOTHING,
    Amount,
    Batch,
    Claim,
    Outcome,
    Refusal,
    Remembered,
    Store,
    StoreError,
    StoreUnavailableError,
    Tally,
    Usage,
    UsageKey,
)

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_MAX_RELEASED = 100_000

# How requests survive a failure of the store.
#
# The first operation that fails takes the whole store out of use: others that came after it would only wait for the
# same timeout. Requests go on in memory, or are refused if they have a budget or a rate and the operator wants that.
# One task opens the store again, with pauses, and then hands over the usage since the failure. The batch that failed
# goes first and unchanged: the store may have written it before its reply was lost, and recognises its number.
# All later ones are merged into one for each day, so that an outage of hours takes no more memory than one of seconds.


class GuardedStore:
    """A store with a substitute in memory, for handlers and synth: no method but `reserve` raises.

    `refuses`: while the store fails, `reserve` raises StoreUnavailableError instead of counting in memory.
    """

    def __init__(
        self,
        store: Store,
        calendar: Calendar,
        background: Background,
        *,
        refuses: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._calendar = calendar
        self._background = background
        self._sleep = sleep
        self._memory = MemoryStore()
        self._unsent: list[Batch] = []
        self.refuses = refuses
        self.problem = ""
        """Why the store is out of use, "" if it works."""

    @property
    def name(self) -> str:
        """The store for people."""
        return self._store.name

    async def open(self) -> None:
        """Open the store; if that fails, begin in memory."""
        try:
            await self._open()
        except StoreError as error:
            self._fall_back(error)

    async def close(self) -> None:
        """Close the store, after one more try to write the usage that it has missed."""
        if self._unsent:
            try:
                await self._open()
                await self._hand_over()
            except StoreError as error:
                _log.error("usage of the last requests is lost: the store still fails", problem=str(error))
        await self._store.close()

    async def share_clock(self, boot: str, offset: float, uptime: float) -> float:
        """Return the offset of the first process of this boot within 24 hours."""
        return await self._try(lambda store: store.share_clock(boot, offset, uptime))

    async def reserve(self, claim: Claim) -> Refusal | None:
        """Count a request in its rates and reserve its estimate, or return why that is refused."""
        if not self.problem:
            try:
                return await self._store.reserve(claim)
            except StoreError as error:
                self._fall_back(error)
        if self.refuses:
            raise StoreUnavailableError(self.problem)
        return await self._memory.reserve(claim)

    async def record(self, batch: Batch) -> None:
        """Add what was used, and release reservations. One batch at a time."""
        if not self.problem:
            try:
                await self._store.record(batch)
            except StoreError as error:
                self._fall_back(error)
            else:
                return
        await self._memory.record(batch)
        self._keep(batch)

    async def read_spent(self, day: int, now: float) -> Mapping[str, Amount]:
        """Return the spend of the requests that ended today, by account."""
        return await self._try(lambda store: store.read_spent(day, now))

    async def read_usage(self, first_day: int, last_day: int) -> Mapping[UsageKey, Usage]:
        """Return the usage of these days."""
        return await self._try(lambda store: store.read_usage(first_day, last_day))

    async def remember(self, answers: Sequence[Remembered], now: float) -> None:
        """Keep records under their hashes."""
        await self._try(lambda store: store.remember(answers, now))

    async def recall(self, hashes: Sequence[str], now: float) -> Mapping[str, bytes]:
        """Return the records of the hashes that are known and have not expired."""
        return await self._try(lambda store: store.recall(hashes, now))

    async def add_outcomes(self, once: str, outcomes: Sequence[Outcome], now: float, half_life_s: float) -> bool:
        """Add to the tallies; False and no change if `once` was counted before."""
        return await self._try(lambda store: store.add_outcomes(once, outcomes, now, half_life_s))

    async def read_tallies(self) -> Sequence[Tally]:
        """Return every tally."""
        return await self._try(lambda store: store.read_tallies())

    async def reset_tallies(self, member: str | None = None) -> None:
        """Forget the tallies of one member, or of all."""
        await self._try(lambda store: store.reset_tallies(member))

    async def _try(self, operation: Callable[[Store], Awaitable[T]]) -> T:
        if not self.problem:
            try:
                return await operation(self._store)
            except StoreError as error:
                self._fall_back(error)
        return await operation(self._memory)

    async def _open(self) -> None:
        await self._store.open()
        calendar = self._calendar
        if calendar.boot:
            calendar.offset = await self._store.share_clock(calendar.boot, calendar.offset, calendar.uptime())

    def _fall_back(self, error: StoreError) -> None:
        if self.problem:
            return
        self.problem = str(error)
        effect = (
            "requests with a budget or a rate are refused"
            if self.refuses
            else "each process counts for itself in memory"
        )
        _log.error("the store failed; until it works again " + effect, problem=self.problem)
        self._background.run(self._recover())

    async def _recover(self) -> None:
        """Open the store again, with growing pauses, and hand over what was used meanwhile."""
        pause_s = _FIRST_PAUSE_S
        while self.problem:
            await self._sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            try:
                await self._open()
                await self._hand_over()
            except StoreError as error:
                self.problem = str(error)
                continue
            self.problem = ""
            self._memory = MemoryStore()
            _log.warning("the store works again", store=self.name)

    async def _hand_over(self) -> None:
        while self._unsent:
            first = self._unsent[0]
            is_today = first.day >= self._calendar.today()
            await self._store.record(first if is_today else replace(first, charges={}))
            del self._unsent[0]

    def _keep(self, batch: Batch) -> None:
        """Keep a batch for later: merged with the last one, unless that may be written or belongs to another day."""
        if len(self._unsent) > 1 and self._unsent[-1].day == batch.day:
            batch = _merge(self._unsent.pop(), batch)
        self._unsent.append(batch)


def _merge(earlier: Batch, later: Batch) -> Batch:
    charges, usage = dict(earlier.charges), dict(earlier.usage)
    for account, amount in later.charges.items():
        charges[account] = charges.get(account, NOTHING) + amount
    for key, used in later.usage.items():
        usage[key] = usage.get(key, Usage()) + used
    released = (*earlier.released, *later.released)[-_MAX_RELEASED:]
    return replace(later, charges=charges, usage=usage, released=released)
