"""The contract of every store: memory, a SQLite file and a real Redis server."""

import asyncio
import time
from dataclasses import replace

import pytest

from store.rules import DAY_S
from store.store import (
    NOTHING,
    Amount,
    Batch,
    Claim,
    Limit,
    Outcome,
    Rate,
    Refusal,
    Remembered,
    Store,
    Usage,
    UsageKey,
)

NOW = time.time()  # the Redis server has its own clock, so the tests go on from the present
DAY = int(NOW // DAY_S)
FIVE = (Limit("", cost=5),)


def claim(
    name: str, tokens: int = 0, cost: int = 0, *, limits: tuple[Limit, ...] = FIVE, after_s: float = 0.0
) -> Claim:
    return Claim(name, DAY, NOW + after_s, 100.0, Amount(tokens, cost), limits)


def batch(
    number: int, *released: str, account: str = "", used: Amount = NOTHING, writer: str = "w", day: int = DAY
) -> Batch:
    return Batch(writer, number, day, NOW, {account: used}, released)


async def spend(store: Store, number: int, amount: Amount, account: str = "") -> None:
    await store.record(Batch("spender", number, DAY, NOW, {account: amount}))


async def test_a_budget_is_spent_and_then_refuses(store: Store) -> None:
    """By cost and by tokens; the refusal has the account and what it has used."""
    await spend(store, 1, Amount(7, 3))
    assert (await store.read_spent(DAY, NOW))[""] == Amount(7, 3)
    assert await store.reserve(claim("a", cost=2)) is None
    refused = await store.reserve(claim("b", cost=1))
    assert refused == Refusal("cost", "", spent=Amount(7, 3), reserved=Amount(0, 2))
    by_tokens = await store.reserve(claim("c", tokens=4, limits=(Limit("", tokens=10),)))
    assert by_tokens is not None
    assert by_tokens.by == "tokens"
    assert await store.reserve(claim("d", tokens=3, limits=(Limit("", tokens=10),))) is None


async def test_a_refused_claim_changes_nothing(store: Store) -> None:
    """Neither an account that would have allowed it, nor a rate."""
    limits = (Limit("whole", cost=9), Limit("key", cost=1))
    asked = replace(claim("a", cost=2, limits=limits), rates=(Rate("key", 1),))
    for number in range(10):
        refused = await store.reserve(replace(asked, id=f"a{number}"))
        assert refused is not None
        assert (refused.by, refused.name) == ("cost", "key")
    allowed = claim("b", cost=9, limits=(Limit("whole", cost=9),))
    assert await store.reserve(replace(allowed, rates=(Rate("key", 1),))) is None


async def test_concurrent_claims_get_exactly_the_rest_of_the_budget(store: Store) -> None:
    """Two hundred at once, of which a budget of five allows five."""
    refusals = await asyncio.gather(*(store.reserve(claim(f"c{number}", cost=1)) for number in range(200)))
    assert refusals.count(None) == 5
    admitted = [f"c{number}" for number, refusal in enumerate(refusals) if refusal is None]
    await store.record(batch(1, *admitted))
    assert await store.reserve(claim("late", cost=5)) is None


async def test_a_claim_that_is_sent_twice_counts_once(store: Store) -> None:
    """Its reply may have been lost."""
    assert await store.reserve(claim("a", cost=3)) is None
    assert await store.reserve(claim("a", cost=3)) is None
    assert await store.reserve(claim("b", cost=2)) is None


async def test_a_batch_that_is_sent_twice_counts_once(store: Store) -> None:
    """A writer numbers its batches, and another writer's numbers are its own."""
    key = UsageKey(DAY, "ci", "mom", "")
    first = replace(batch(1, account="key", used=Amount(1, 2)), usage={key: Usage(1)})
    for each in (
        first,
        first,
        batch(2, account="key", used=Amount(1, 2)),
        first,
        batch(1, writer="v", account="key", used=Amount(1, 2)),
    ):
        await store.record(each)
    assert (await store.read_spent(DAY, NOW))["key"] == Amount(3, 6)
    assert await store.read_usage(DAY, DAY) == {key: Usage(1)}


async def test_a_reservation_ends_by_itself(store: Store) -> None:
    """Its process may have died; a later charge still counts."""
    short = replace(claim("dead", cost=5), lifetime_s=0.05)
    assert await store.reserve(short) is None
    await asyncio.sleep(0.1)
    assert await store.reserve(claim("b", cost=5, after_s=0.1)) is None
    await store.record(batch(1, "dead", "b", used=Amount(0, 2)))
    refused = await store.reserve(claim("c", cost=4, after_s=0.1))
    assert refused == Refusal("cost", "", spent=Amount(0, 2))


async def test_a_new_day_begins_at_nothing_and_keeps_reservations(store: Store) -> None:
    """Running requests go on; a process whose clock lags by less than an hour spends on the new day."""
    await spend(store, 1, Amount(0, 4))
    assert await store.reserve(claim("running", cost=1)) is None
    tomorrow = replace(claim("a", cost=5), day=DAY + 1, now=NOW + 1)
    assert await store.reserve(tomorrow) == Refusal("cost", "", reserved=Amount(0, 1))
    await store.record(batch(1, "running", used=Amount(0, 1)))
    assert await store.reserve(tomorrow) == Refusal("cost", "", spent=Amount(0, 1))


async def test_a_rate_lets_a_burst_through(store: Store) -> None:
    """Then it says how long to wait; a bucket belongs to a name and a rate."""
    asked = Claim("", DAY, NOW, 100.0, rates=(Rate("ci", 3),))
    refusals = await asyncio.gather(*(store.reserve(replace(asked, id=f"r{number}")) for number in range(50)))
    assert refusals.count(None) == 3
    refused = next(each for each in refusals if each is not None)
    assert (refused.by, refused.name) == ("rate", "ci")
    assert 10 < refused.retry_after_s <= 20
    assert await store.reserve(replace(asked, id="x", rates=(Rate("ci", 4),))) is None
    assert await store.reserve(replace(asked, id="y", rates=(Rate("other", 1),))) is None


async def test_a_bucket_leaks(store: Store) -> None:
    """One request of a rate of 600 a minute after a tenth of a second."""
    asked = Claim("", DAY, NOW, 100.0, rates=(Rate("fast", 600),))
    for number in range(600):
        await store.reserve(replace(asked, id=f"f{number}"))
    await asyncio.sleep(0.15)
    assert await store.reserve(replace(asked, id="z", now=NOW + 0.15)) is None


async def test_large_sums_stay_exact(store: Store) -> None:
    """Beyond 2^53, and they stop at the largest whole number instead of failing."""
    await spend(store, 1, Amount(1, 2**53))
    await spend(store, 2, Amount(1, 1))
    assert (await store.read_spent(DAY, NOW))[""] == Amount(2, 2**53 + 1)
    for number in range(3, 6):
        await spend(store, number, Amount(0, 2**62))
    assert (await store.read_spent(DAY, NOW))[""].cost == 2**63 - 1
    assert await store.reserve(claim("a")) is not None


async def test_usage_adds_up_by_day_client_mixture_and_model(store: Store) -> None:
    """Names may hold any character."""
    odd = UsageKey(DAY, 'a"b\x1f:', "m ü", "x,y")
    for number in range(2):
        used = {odd: Usage(1, 10, 5, 3, 100), UsageKey(DAY - 3, "", "", ""): Usage(1)}
        await store.record(Batch("w", number, DAY, NOW, {}, usage=used))
    assert await store.read_usage(DAY, DAY) == {odd: Usage(2, 20, 10, 6, 200)}
    assert await store.read_usage(DAY - 5, DAY - 1) == {UsageKey(DAY - 3, "", "", ""): Usage(2)}


async def test_a_boot_has_one_clock(store: Store) -> None:
    """It is that of the first process that asks; another boot has its own."""
    assert await store.share_clock("boot", 100.25, 5.0) == 100.25
    assert await store.share_clock("boot", 999.0, 6.0) == 100.25
    assert await store.share_clock("other", 7.0, 1.0) == 7.0


async def test_records_are_recalled_until_they_expire(store: Store) -> None:
    """Several in one question; unknown ones are left out; a later one replaces an earlier."""
    await store.remember([Remembered("a", b"1", 100), Remembered("b", b"\x00\xff", 100)], NOW)
    await store.remember([Remembered("a", b"2", 100)], NOW)
    assert await store.recall(["a", "b", "c"], NOW) == {"a": b"2", "b": b"\x00\xff"}
    await store.remember([Remembered("b", b"3", 0.05)], NOW)
    await asyncio.sleep(0.1)
    assert await store.recall(["a", "b", "c"], NOW + 0.1) == {"a": b"2"}
    assert await store.recall([], NOW) == {}


async def test_outcomes_are_counted_once_and_decay(store: Store) -> None:
    """The weight halves with each half-life; a negative amount takes back, but never more than there is."""
    outcomes = [Outcome("a", "code:py", "right"), Outcome("b", "code:py", "wrong", 0.5)]
    assert await store.add_outcomes("1", outcomes, NOW, 0.1)
    assert not await store.add_outcomes("1", outcomes, NOW, 0.1)
    await asyncio.sleep(0.2)
    assert await store.add_outcomes("2", [Outcome("a", "code:py", "right")], NOW + 0.2, 0.1)
    tallies = {each.member: each for each in await store.read_tallies()}
    assert (tallies["a"].count, tallies["b"].count) == (2, 1)
    assert 1.0 <= tallies["a"].weight < 1.3
    assert tallies["b"].weight == 0.5
    await store.add_outcomes("3", [Outcome("b", "code:py", "wrong", -1)], NOW, 1e9)
    assert {each.member: each.weight for each in await store.read_tallies()}["b"] == 0


async def test_tallies_are_reset_by_member_or_all(store: Store) -> None:
    """What was counted once stays counted."""
    await store.add_outcomes("1", [Outcome("a", "k", "right"), Outcome("b", "k", "right")], NOW, 1e9)
    await store.reset_tallies("a")
    assert [each.member for each in await store.read_tallies()] == ["b"]
    await store.reset_tallies()
    assert await store.read_tallies() == []
    assert not await store.add_outcomes("1", [Outcome("a", "k", "right")], NOW, 1e9)


@pytest.mark.parametrize("kind", ["before", "after"])
async def test_opening_again_forgets_nothing(store: Store, kind: str) -> None:
    """As after a failure."""
    if kind == "before":
        await spend(store, 1, Amount(1, 5))
    await store.open()
    await spend(store, 1, Amount(1, 5))
    assert await store.reserve(claim("a")) == Refusal("cost", "", spent=Amount(1, 5))
