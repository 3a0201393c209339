"""The store in one SQLite file: spend, usage and feedback survive a restart, a crash and kill -9."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from store.rules import EMPTY, Bucket, Period, add_decayed, check_limit, fill, turn_day
from store.sqlite_schema import migrate
from store.store import (
    LONGEST_LEASE_S,
    NOTHING,
    ONCE_DAYS,
    USAGE_DAYS,
    WRITER_DAYS,
    Amount,
    Batch,
    Claim,
    Outcome,
    Refusal,
    Remembered,
    StoreError,
    Tally,
    Usage,
    UsageKey,
)

T = TypeVar("T")

_BUSY_TIMEOUT_S = 10.0
_DAY_S = 86_400.0
_SUM_RESERVED = "SELECT COALESCE(SUM(tokens), 0), COALESCE(SUM(cost), 0) FROM reservations WHERE account = ?"

# One thread, one connection, one transaction for each operation.
#
# sqlite3 blocks, so it runs in a thread of its own, which also puts the operations of this process in order. Several
# processes may share the file: every transaction begins IMMEDIATE, so that no other process writes between its reads
# and its writes; it waits for at most _BUSY_TIMEOUT_S. In WAL mode with synchronous = NORMAL a commit is a write to the
# page cache without fsync (30 us): it survives any end of the process. A power failure may lose the last seconds, but
# never damages the file (https://www.sqlite.org/wal.html).


class SqliteStore:
    """Keeps everything in the file `path`, with mode 0600, in a folder that is made with mode 0700."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, "store")
        self._db: sqlite3.Connection | None = None

    @property
    def name(self) -> str:
        """The store for people."""
        return f"sqlite:{self._path}"

    async def open(self) -> None:
        """Open the file, or make it. Raises StoreError if that is impossible or it is damaged."""
        await self._run(self._open)

    async def close(self) -> None:
        """Close the file after all earlier operations."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    async def share_clock(self, boot: str, offset: float, uptime: float) -> float:
        """Return the offset of the first process of this boot within 24 hours."""
        return await self._transact(_share_clock, boot, offset, uptime)

    async def reserve(self, claim: Claim) -> Refusal | None:
        """Count a request in its rates and reserve its estimate; if that is refused, change nothing and return why."""
        return await self._transact(_reserve, claim)

    async def record(self, batch: Batch) -> None:
        """Add the usage of ended requests, and release their reservations."""
        await self._transact(_record, batch)

    async def read_spent(self, day: int, now: float) -> Mapping[str, Amount]:
        """Return the spend of the requests that ended today, by account."""
        return await self._transact(_read_spent, day, now)

    async def read_usage(self, first_day: int, last_day: int) -> Mapping[UsageKey, Usage]:
        """Return the usage of these days."""
        return await self._transact(_read_usage, first_day, last_day)

    async def remember(self, answers: Sequence[Remembered], now: float) -> None:
        """Keep records under their hashes."""
        await self._transact(_remember, answers, now)

    async def recall(self, hashes: Sequence[str], now: float) -> Mapping[str, bytes]:
        """Return the records of the hashes that are known and have not expired."""
        return await self._transact(_recall, hashes, now)

    async def add_outcomes(self, once: str, outcomes: Sequence[Outcome], now: float, half_life_s: float) -> bool:
        """Add to the tallies; False and no change if `once` was counted before."""
        return await self._transact(_add_outcomes, once, outcomes, now, half_life_s)

    async def read_tallies(self) -> Sequence[Tally]:
        """Return every tally."""
        return await self._transact(_read_tallies)

    async def reset_tallies(self, member: str | None = None) -> None:
        """Forget the tallies of one member, or of all."""
        await self._transact(_reset_tallies, member)

    async def _transact(self, operation: Callable[..., T], *arguments: Any) -> T:
        return await self._run(self._execute, operation, arguments)

    async def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        except (sqlite3.Error, OSError, OverflowError, RuntimeError) as error:
            raise StoreError(f"{self.name}: {error}") from error

    def _execute(self, operation: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        db = self._db
        if db is None:
            raise sqlite3.OperationalError("is not open")
        db.execute("BEGIN IMMEDIATE")
        try:
            result = operation(db, *arguments)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # a full disk may have ended it
                db.execute("ROLLBACK")
            raise
        return result

    def _open(self) -> None:
        self._close()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)  # the -wal and -shm files get the same mode
        try:
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
        db = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            migrate(db)
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE writers SET number = number")  # the disk is not full, the file not read-only
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        self._db = db

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def _share_clock(db: sqlite3.Connection, boot: str, offset: float, uptime: float) -> float:
    known = db.execute("SELECT clock_offset, uptime FROM clocks WHERE boot = ?", (boot,)).fetchone()
    if known is not None and 0 <= uptime - known[1] < _DAY_S:
        return float(known[0])
    db.execute("DELETE FROM clocks")  # those of earlier boots
    db.execute("INSERT INTO clocks VALUES (?, ?, ?)", (boot, offset, uptime))
    return offset


def _reserve(db: sqlite3.Connection, claim: Claim) -> Refusal | None:
    if db.execute("SELECT 1 FROM reservations WHERE claim = ?", (claim.id,)).fetchone():
        return None
    _turn_day(db, claim.day, claim.now)
    db.execute("DELETE FROM reservations WHERE expires <= ? OR expires > ?", (claim.now, claim.now + LONGEST_LEASE_S))
    filled: list[tuple[str, int, float, float]] = []
    for rate in claim.rates:
        row = db.execute(
            "SELECT level, at FROM buckets WHERE name = ? AND per_minute = ?", (rate.name, rate.per_minute)
        ).fetchone()
        bucket, wait_s = fill(EMPTY if row is None else Bucket(*row), rate.per_minute, claim.now)
        if wait_s:
            return Refusal("rate", rate.name, wait_s)
        filled.append((rate.name, rate.per_minute, bucket.level, bucket.at))
    for limit in claim.limits:
        spent = _find_amount(db, "SELECT tokens, cost FROM spent WHERE account = ?", limit.account)
        reserved = _find_amount(db, _SUM_RESERVED, limit.account)
        lacking = check_limit(limit, spent + reserved, claim.expected)
        if lacking is not None:
            return Refusal(lacking, limit.account, spent=spent, reserved=reserved)
    db.executemany("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?)", filled)
    expected, expires = claim.expected, claim.now + claim.lifetime_s
    db.executemany(
        "INSERT INTO reservations VALUES (?, ?, ?, ?, ?)",
        [(claim.id, limit.account, expected.tokens, expected.cost, expires) for limit in claim.limits],
    )
    return None


def _find_amount(db: sqlite3.Connection, query: str, account: str) -> Amount:
    row = db.execute(query, (account,)).fetchone()
    return NOTHING if row is None else Amount(int(row[0]), int(row[1]))


def _turn_day(db: sqlite3.Connection, day: int, now: float) -> None:
    row = db.execute("SELECT day, began FROM period").fetchone()
    before = None if row is None else Period(*row)
    period = turn_day(before, day, now)
    if period == before:
        return
    db.execute("INSERT OR REPLACE INTO period VALUES (1, ?, ?)", (period.day, period.began))
    if before is None or before.day != period.day:
        db.execute("DELETE FROM spent")
        today = int(now // _DAY_S)
        db.execute("DELETE FROM usage WHERE day < ?", (today - USAGE_DAYS,))
        db.execute("DELETE FROM writers WHERE at < ?", (now - WRITER_DAYS * _DAY_S,))
        db.execute("DELETE FROM buckets WHERE at < ?", (now - _DAY_S,))


def _record(db: sqlite3.Connection, batch: Batch) -> None:
    last = db.execute("SELECT number FROM writers WHERE writer = ?", (batch.writer,)).fetchone()
    if last is not None and batch.number <= last[0]:
        return
    _turn_day(db, batch.day, batch.now)
    db.execute("INSERT OR REPLACE INTO writers VALUES (?, ?, ?)", (batch.writer, batch.number, batch.now))
    db.executemany("DELETE FROM reservations WHERE claim = ?", [(claim,) for claim in batch.released])
    db.executemany(
        "INSERT INTO spent VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET tokens = tokens + ?2, "
        "cost = CAST(MIN(cost + ?3, 9223372036854775807) AS INTEGER)",
        [(account, amount.tokens, amount.cost) for account, amount in batch.charges.items()],
    )
    db.executemany(
        "INSERT INTO usage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO UPDATE SET "
        "requests = requests + ?5, prompt = prompt + ?6, completion = completion + ?7, cached = cached + ?8, "
        "cost = CAST(MIN(cost + ?9, 9223372036854775807) AS INTEGER)",
        [
            (
                *(key.day, key.client, key.mixture, key.model),
                *(each.requests, each.prompt, each.completion),
                each.cached,
                each.cost,
            )
            for key, each in batch.usage.items()
        ],
    )


def _read_spent(db: sqlite3.Connection, day: int, now: float) -> Mapping[str, Amount]:
    _turn_day(db, day, now)
    rows = db.execute("SELECT account, tokens, cost FROM spent")
    return {account: Amount(tokens, cost) for account, tokens, cost in rows}


def _read_usage(db: sqlite3.Connection, first_day: int, last_day: int) -> Mapping[UsageKey, Usage]:
    rows = db.execute("SELECT * FROM usage WHERE day BETWEEN ? AND ?", (first_day, last_day))
    return {UsageKey(*row[:4]): Usage(*row[4:]) for row in rows}


def _remember(db: sqlite3.Connection, answers: Sequence[Remembered], now: float) -> None:
    db.execute("DELETE FROM records WHERE expires <= ?", (now,))
    db.executemany(
        "INSERT OR REPLACE INTO records VALUES (?, ?, ?)",
        [(answer.hash, answer.record, now + answer.lifetime_s) for answer in answers],
    )


def _recall(db: sqlite3.Connection, hashes: Sequence[str], now: float) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for each in hashes:  # few, and each is a search in an index
        row = db.execute("SELECT record FROM records WHERE hash = ? AND expires > ?", (each, now)).fetchone()
        if row is not None:
            found[each] = row[0]
    return found


def _add_outcomes(
    db: sqlite3.Connection, once: str, outcomes: Sequence[Outcome], now: float, half_life_s: float
) -> bool:
    db.execute("DELETE FROM counted WHERE at < ?", (now - ONCE_DAYS * _DAY_S,))
    if not db.execute("INSERT OR IGNORE INTO counted VALUES (?, ?)", (once, now)).rowcount:
        return False
    for each in outcomes:
        key = each.member, each.kind, each.name
        row = db.execute("SELECT count, weight, at FROM tallies WHERE (member, kind, name) = (?, ?, ?)", key).fetchone()
        count, weight, at = (0, 0.0, now) if row is None else row
        weight = add_decayed(weight, now - at, half_life_s, each.amount)
        db.execute("INSERT OR REPLACE INTO tallies VALUES (?, ?, ?, ?, ?, ?)", (*key, count + 1, weight, max(now, at)))
    return True


def _read_tallies(db: sqlite3.Connection) -> Sequence[Tally]:
    return [Tally(*row) for row in db.execute("SELECT * FROM tallies")]


def _reset_tallies(db: sqlite3.Connection, member: str | None) -> None:
    if member is None:
        db.execute("DELETE FROM tallies")
    else:
        db.execute("DELETE FROM tallies WHERE member = ?", (member,))
