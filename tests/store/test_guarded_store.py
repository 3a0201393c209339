"""A failing store costs no answer, and catches up later."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from runtime.background import Background
from store.calendar import Calendar
from store.guarded_store import GuardedStore
from store.memory import MemoryStore
from store.redis_store import RedisStore
from store.sqlite_store import SqliteStore
from store.store import (
    Amount,
    Batch,
    Claim,
    Limit,
    Outcome,
    Refusal,
    Remembered,
    Store,
    StoreError,
    StoreUnavailableError,
    Usage,
    UsageKey,
)
from tests.redis_server import RedisServer
from tests.upstream.clocks import Clock, in_no_time

DAY = 20_000
NOON = DAY * 86_400.0 + 43_200
FIVE = (Limit("", cost=5),)


class Flaky(MemoryStore):
    """A store that fails while it is `away`; if it is `mute` it does its work and then fails."""

    name = "flaky"

    def __init__(self) -> None:
        super().__init__()
        self.away = self.mute = False
        self.n_opened = 0

    def check(self) -> None:
        if self.away:
            raise StoreError("flaky: gone")

    async def open(self) -> None:
        self.n_opened += 1
        self.check()

    async def reserve(self, claim: Claim) -> Refusal | None:
        self.check()
        return await super().reserve(claim)

    async def record(self, batch: Batch) -> None:
        self.check()
        await super().record(batch)
        if self.mute:
            self.away = True
            self.check()


def guard(store: Store, clock: Clock | None = None, *, refuses: bool = False) -> tuple[GuardedStore, Background]:
    background = Background()
    clock = clock or Clock(NOON)
    return GuardedStore(store, Calendar(clock, clock, "boot"), background, refuses=refuses), background


def claim(name: str, cost: int) -> Claim:
    return Claim(name, DAY, NOON, 1000.0, Amount(0, cost), FIVE)


def batch(number: int, cost: int, *released: str, day: int = DAY) -> Batch:
    usage = {UsageKey(day, "", "", ""): Usage(1)}
    return Batch("w", number, day, NOON, {"": Amount(0, cost)}, released, usage)


def test_an_outage_loses_nothing_and_is_logged_once() -> None:
    """What was used meanwhile counts in memory, then in the store; also what the store wrote before it fell silent."""

    async def play() -> None:
        store = Flaky()
        guarded, _ = guard(store)
        with capture_logs() as log:
            await guarded.open()
            assert await guarded.reserve(claim("before", 1)) is None
            store.mute = True
            await guarded.record(batch(1, 1, "before"))
            assert guarded.problem == "flaky: gone"
            for number in range(2, 4):
                assert await guarded.reserve(claim(f"c{number}", 1)) is None
                await guarded.record(batch(number, 1, f"c{number}"))
            refused = await guarded.reserve(claim("large", 3))
            assert refused is not None
            assert refused.spent.cost == 3
            await asyncio.sleep(100)
            store.away = store.mute = False
            await asyncio.sleep(31)
        assert guarded.problem == ""
        assert await store.read_spent(DAY, NOON) == {"": Amount(0, 3)}
        assert await store.read_usage(DAY, DAY) == {UsageKey(DAY, "", "", ""): Usage(3)}
        assert await guarded.reserve(claim("large", 3)) == Refusal("cost", "", spent=Amount(0, 3))
        assert [(line["log_level"], line.get("problem")) for line in log] == [
            ("error", "flaky: gone"),
            ("warning", None),
        ]
        assert store.n_opened < 12

    in_no_time(play())


def test_an_outage_over_midnight_leaves_the_new_day_its_budget() -> None:
    """Usage is still written, on its own day."""

    async def play() -> None:
        store, clock = Flaky(), Clock(NOON)
        guarded, _ = guard(store, clock)
        store.away = True
        await guarded.open()
        for number in range(1, 4):
            await guarded.record(batch(number, 1))
        clock.now += 86_400
        await guarded.record(batch(4, 2, day=DAY + 1))
        store.away = False
        await asyncio.sleep(2)
        assert await store.read_spent(DAY + 1, clock.now) == {"": Amount(0, 2)}
        assert (await store.read_usage(DAY, DAY))[UsageKey(DAY, "", "", "")] == Usage(3)

    in_no_time(play())


def test_the_operator_may_have_requests_refused() -> None:
    """Requests with a budget are refused; usage is still recorded."""

    async def play() -> None:
        store = Flaky()
        guarded, _ = guard(store, refuses=True)
        store.away = True
        await guarded.open()
        with pytest.raises(StoreUnavailableError, match="flaky: gone"):
            await guarded.reserve(claim("a", 1))
        await guarded.record(batch(1, 2))
        store.away = False
        await asyncio.sleep(2)
        assert await guarded.reserve(claim("a", 4)) == Refusal("cost", "", spent=Amount(0, 2))

    in_no_time(play())


def test_usage_held_by_an_outage_is_written_at_the_end() -> None:
    """And given up with a line in the log."""

    async def play(*, away: bool) -> tuple[list[str], Usage | None]:
        store = Flaky()
        guarded, background = guard(store)
        store.away = True
        await guarded.open()
        await guarded.record(batch(1, 2))
        store.away = away
        with capture_logs() as log:
            await background.finish(0.0)
            await guarded.close()
        used = await store.read_usage(DAY, DAY)
        return [line["event"] for line in log if line["log_level"] == "error"], used.get(UsageKey(DAY, "", "", ""))

    assert in_no_time(play(away=False)) == ([], Usage(1))
    events, used = in_no_time(play(away=True))
    assert (events, used) == (["usage of the last requests is lost: the store still fails"], None)


async def test_a_damaged_file_degrades_to_memory(tmp_path: Path) -> None:
    """Feedback works there as well, and no method raises."""
    (tmp_path / "state.db").write_bytes(b"nothing like a database" * 50)
    guarded, background = guard(SqliteStore(tmp_path / "state.db"))
    with capture_logs() as log:
        await guarded.open()
        await guarded.remember([Remembered("h", b"r", 100)], NOON)
        assert await guarded.recall(["h"], NOON) == {"h": b"r"}
        assert await guarded.add_outcomes("1", [Outcome("a", "k", "right")], NOON, 1.0)
        assert [each.member for each in await guarded.read_tallies()] == ["a"]
        await guarded.reset_tallies()
        assert await guarded.reserve(claim("a", 5)) is None
        assert await guarded.share_clock("boot", 1.0, 0.0) == 1.0
        await guarded.record(batch(1, 5, "a"))
        assert await guarded.read_usage(DAY, DAY) == {UsageKey(DAY, "", "", ""): Usage(1)}
    assert [line["event"].split(";")[0] for line in log] == ["the store failed"]
    assert "state.db" in log[0]["problem"]
    await background.finish(0.0)
    await guarded.close()


def test_a_damaged_file_that_is_moved_away_is_created_again(tmp_path: Path) -> None:
    """At the next try, and what was used meanwhile is in it."""

    async def play() -> None:
        path = tmp_path / "state.db"
        path.write_bytes(b"nothing like a database" * 50)
        guarded, _ = guard(SqliteStore(path))
        await guarded.open()
        await guarded.record(batch(1, 5))
        path.rename(tmp_path / "damaged")
        async with asyncio.timeout(30):
            while guarded.problem:  # noqa: ASYNC110 -- asked
                await asyncio.sleep(0.05)
        assert await guarded.read_spent(DAY, NOON) == {"": Amount(0, 5)}
        await guarded.close()

    asyncio.run(play())


async def test_no_spend_is_lost_when_the_server_restarts(tmp_path: Path) -> None:
    """Spending before and during the outage is there afterwards."""
    async with RedisServer(tmp_path) as server:
        background, clock = Background(), Clock(NOON)

        async def no_pause(_: float) -> None:
            await asyncio.sleep(0.01)

        store = GuardedStore(RedisStore(server.url), Calendar(clock, clock, "boot"), background, sleep=no_pause)
        await store.open()
        await store.record(batch(1, 1))
        await server.kill()
        await store.record(batch(2, 1))
        assert store.problem
        await store.record(batch(3, 1))
        await server.start()
        async with asyncio.timeout(20):
            while store.problem:  # noqa: ASYNC110 -- asked
                await asyncio.sleep(0.01)
        assert await store.read_spent(DAY, NOON) == {"": Amount(0, 3)}
        await background.finish(1.0)
        await store.close()
