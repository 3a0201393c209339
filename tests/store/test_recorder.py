"""Usage is written beside the requests, in batches."""

import asyncio
from decimal import Decimal

from runtime.background import Background
from store.calendar import Calendar
from store.memory import MemoryStore
from store.recorder import ModelUse, Recorder
from store.store import Amount, Batch, Usage, UsageKey
from tests.upstream.clocks import Clock, in_no_time

NOON = 20_000 * 86_400.0 + 43_200
USE = ModelUse("a", 10, 5, 2, Decimal("0.25"))


class Slow(MemoryStore):
    """A store that takes a second to write, and keeps the batches."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []

    async def record(self, batch: Batch) -> None:
        await asyncio.sleep(1.0)
        self.batches.append(batch)


def recorder(store: MemoryStore, clock: Clock) -> tuple[Recorder, Background]:
    background = Background()
    return Recorder(store, Calendar(clock, clock, ""), background), background


def test_requests_without_limits_are_written_once_a_second() -> None:
    """All together; until then they count as pending."""

    async def play() -> None:
        store = Slow()
        writing, _ = recorder(store, Clock(NOON))
        for _ in range(3):
            writing.add([""], "ci", "mom", [USE], None)
        assert writing.find_pending() == {"": Amount(45, 75 * 10**10)}
        await asyncio.sleep(2.5)
        (batch,) = store.batches
        assert batch.charges == {"": Amount(45, 75 * 10**10)}
        assert batch.usage == {
            UsageKey(20_000, "ci", "mom", "a"): Usage(3, 30, 15, 6, 75 * 10**10),
            UsageKey(20_000, "ci", "mom", ""): Usage(3),
        }
        assert writing.find_pending() == {}

    in_no_time(play())


def test_a_request_with_a_limit_is_written_at_once() -> None:
    """One batch at a time: those that end meanwhile share the next."""

    async def play() -> None:
        store = Slow()
        writing, background = recorder(store, Clock(NOON))
        for name in "abcd":
            writing.add([""], "", "", [USE], name)
            await asyncio.sleep(0)
        writing.release("e")
        await background.finish(10.0)
        assert [batch.released for batch in store.batches] == [("a",), ("b", "c", "d", "e")]
        assert [batch.number for batch in store.batches] == [1, 2]

    in_no_time(play())


def test_spending_of_yesterday_counts_for_no_budget() -> None:
    """It is usage of yesterday all the same."""

    async def play() -> None:
        store, clock = Slow(), Clock(NOON + 43_199)
        writing, _ = recorder(store, clock)
        writing.add([""], "", "", [USE], None)
        clock.now += 2
        await writing.close()
        (batch,) = store.batches
        assert (batch.day, batch.charges) == (20_001, {})
        assert {key.day for key in batch.usage} == {20_000}

    in_no_time(play())
