"""The store in memory: for tests, and in place of a store that has failed."""

from collections.abc import Mapping, Sequence

from runtime.frozen import frozen
from store.rules import DAY_S, EMPTY, Bucket, Period, add_decayed, check_limit, fill, is_running, turn_day
from store.store import (
    NOTHING,
    ONCE_DAYS,
    USAGE_DAYS,
    Amount,
    Batch,
    Claim,
    Outcome,
    Rate,
    Refusal,
    Remembered,
    Tally,
    Usage,
    UsageKey,
)

_MAX_RECORDS = 100_000
_ONCE_S = ONCE_DAYS * DAY_S


@frozen
class _Reservation:
    accounts: tuple[str, ...]
    expected: Amount
    expires: float


class MemoryStore:
    """Keeps everything until the process ends. Its methods never wait, and never fail."""

    name = "memory"

    def __init__(self) -> None:
        self._offsets: dict[str, tuple[float, float]] = {}
        self._period: Period | None = None
        self._spent: dict[str, Amount] = {}
        self._reserved: dict[str, _Reservation] = {}
        self._buckets: dict[Rate, Bucket] = {}
        self._last_batch: dict[str, int] = {}
        self._usage: dict[UsageKey, Usage] = {}
        self._records: dict[str, tuple[bytes, float]] = {}
        self._tallies: dict[tuple[str, str, str], Tally] = {}
        self._counted: dict[str, float] = {}

    async def open(self) -> None:
        """Do nothing: memory needs no opening."""

    async def close(self) -> None:
        """Do nothing: the content is lost with the object."""

    async def share_clock(self, boot: str, offset: float, uptime: float) -> float:
        """Return the offset of the first process of this boot within 24 hours."""
        known = self._offsets.get(boot)
        if known is None or not 0 <= uptime - known[1] < DAY_S:
            known = self._offsets[boot] = offset, uptime
        return known[0]

    async def reserve(self, claim: Claim) -> Refusal | None:
        """Count a request in its rates and reserve its estimate; if that is refused, change nothing and return why."""
        if claim.id in self._reserved:
            return None
        self._turn_day(claim.day, claim.now)
        self._drop_expired(claim.now)
        filled: dict[Rate, Bucket] = {}
        for rate in claim.rates:
            filled[rate], wait_s = fill(self._buckets.get(rate, EMPTY), rate.per_minute, claim.now)
            if wait_s:
                return Refusal("rate", rate.name, wait_s)
        for limit in claim.limits:
            spent, reserved = self._spent.get(limit.account, NOTHING), self._sum_reserved(limit.account)
            lacking = check_limit(limit, spent + reserved, claim.expected)
            if lacking is not None:
                return Refusal(lacking, limit.account, spent=spent, reserved=reserved)
        self._buckets.update(filled)
        if claim.limits:
            accounts = tuple(limit.account for limit in claim.limits)
            self._reserved[claim.id] = _Reservation(accounts, claim.expected, claim.now + claim.lifetime_s)
        return None

    async def record(self, batch: Batch) -> None:
        """Add the usage of ended requests, and release their reservations."""
        if batch.number <= self._last_batch.get(batch.writer, -1):
            return
        self._last_batch[batch.writer] = batch.number
        self._turn_day(batch.day, batch.now)
        for claim in batch.released:
            self._reserved.pop(claim, None)
        for account, amount in batch.charges.items():
            self._spent[account] = self._spent.get(account, NOTHING) + amount
        for key, usage in batch.usage.items():
            self._usage[key] = self._usage.get(key, Usage()) + usage

    async def read_spent(self, day: int, now: float) -> Mapping[str, Amount]:
        """Return the spend of the requests that ended today, by account."""
        self._turn_day(day, now)
        return dict(self._spent)

    async def read_usage(self, first_day: int, last_day: int) -> Mapping[UsageKey, Usage]:
        """Return the usage of these days."""
        return {key: usage for key, usage in self._usage.items() if first_day <= key.day <= last_day}

    async def remember(self, answers: Sequence[Remembered], now: float) -> None:
        """Keep records under their hashes; the oldest make room."""
        for answer in answers:
            self._records.pop(answer.hash, None)
            self._records[answer.hash] = answer.record, now + answer.lifetime_s
        while len(self._records) > _MAX_RECORDS:
            del self._records[next(iter(self._records))]

    async def recall(self, hashes: Sequence[str], now: float) -> Mapping[str, bytes]:
        """Return the records of the hashes that are known and have not expired."""
        found = {each: self._records[each] for each in hashes if each in self._records}
        return {each: record for each, (record, expires) in found.items() if now < expires}

    async def add_outcomes(self, once: str, outcomes: Sequence[Outcome], now: float, half_life_s: float) -> bool:
        """Add to the tallies; False and no change if `once` was counted before."""
        if not self._count_once(once, now):
            return False
        for each in outcomes:
            key = each.member, each.kind, each.name
            old = self._tallies.get(key) or Tally(*key, 0, 0.0, now)
            weight = add_decayed(old.weight, now - old.at, half_life_s, each.amount)
            self._tallies[key] = Tally(*key, old.count + 1, weight, max(now, old.at))
        return True

    async def read_tallies(self) -> Sequence[Tally]:
        """Return every tally."""
        return list(self._tallies.values())

    async def reset_tallies(self, member: str | None = None) -> None:
        """Forget the tallies of one member, or of all."""
        self._tallies = {key: each for key, each in self._tallies.items() if member not in (None, each.member)}

    def _turn_day(self, day: int, now: float) -> None:
        before, self._period = self._period, turn_day(self._period, day, now)
        if before is None or before.day != self._period.day:
            self._spent.clear()
            first_day = int(now // DAY_S) - USAGE_DAYS
            self._usage = {key: usage for key, usage in self._usage.items() if key.day >= first_day}

    def _sum_reserved(self, account: str) -> Amount:
        return sum((each.expected for each in self._reserved.values() if account in each.accounts), NOTHING)

    def _drop_expired(self, now: float) -> None:
        for claim in [claim for claim, each in self._reserved.items() if not is_running(each.expires, now)]:
            del self._reserved[claim]

    def _count_once(self, once: str, now: float) -> bool:
        while self._counted and (
            len(self._counted) >= _MAX_RECORDS or next(iter(self._counted.values())) < now - _ONCE_S
        ):
            del self._counted[next(iter(self._counted))]
        return once not in self._counted and self._counted.setdefault(once, now) == now
