"""Budgets of a day."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import ApiKey, Critic, Mixture, Model, Price, Secret, Server
from handlers.errors import ApiError
from handlers.gate.spending import Bill, Budget, Spending, budgets_of, check_quote, money
from runtime.background import Background
from store.calendar import Calendar
from store.memory import MemoryStore
from store.recorder import Recorder
from store.sqlite_store import SqliteStore
from store.store import Amount, Claim, Refusal, Store, StoreUnavailableError, UsageKey
from synth.ledger import Expense, Ledger
from tests.upstream.clocks import Clock
from upstream.calls import Attempt, Call

MIDNIGHT = 20_000 * 86_400.0
MODEL = Model("a", "http://h", None, None, "a", price=Price(Decimal(10**6), Decimal(0)))


def used(n_tokens: int) -> Ledger:
    """Return a ledger of so many tokens, each of which costs 1."""
    usage = {"prompt_tokens": n_tokens, "completion_tokens": 0}
    call = Call(MODEL, "direct", [], {}, 0.0)
    call.attempts.append(Attempt(0.0, outcome="ok", sent=True, usage=usage))
    return Ledger([call])


def dollars(limit: int) -> Budget:
    return Budget("", cost=Decimal(limit))


class Clocks:
    """The time of day, which can be set, and the time since boot, which cannot."""

    def __init__(self, unix_time: float = MIDNIGHT + 1000) -> None:
        self.unix = Clock(unix_time)
        self.uptime = Clock(5.0)

    def wait(self, seconds: float) -> None:
        self.unix.now += seconds
        self.uptime.now += seconds


class Gate:
    """The spending of one process with its clocks and its store."""

    def __init__(self, clocks: Clocks, store: Store | None = None) -> None:
        self.clocks = clocks
        self.store = store or MemoryStore()
        self.calendar = Calendar(clocks.unix, clocks.uptime, "boot")
        self.background = Background()
        self.recorder = Recorder(self.store, self.calendar, self.background)
        self.spending = Spending(self.store, self.recorder, self.calendar)

    @asynccontextmanager
    async def charge(
        self, budgets: Sequence[Budget], expected: Expense, ledger: Ledger, *, lifetime_s: float = 1e5
    ) -> AsyncGenerator[None]:
        """Run a request inside the block; after it the store has it."""
        try:
            async with self.spending.charge(budgets, None, Bill(ledger, expected), lifetime_s):
                yield
        finally:
            await self.background.finish(10.0)

    async def spend(self, amount: int, limit: int = 5) -> bool:
        """Spend an amount if the budget allows it, and return whether it did."""
        try:
            async with self.charge([dollars(limit)], Expense(amount, Decimal(amount)), used(amount)):
                return True
        except ApiError:
            return False

    async def spent(self) -> Decimal:
        """Return the amount spent today."""
        return await self.spending.read_cost_today()


async def test_a_budget_that_is_spent_lets_nothing_begin_until_midnight() -> None:
    """The refusal is one that no client repeats by itself, and says how much of what."""
    gate = Gate(Clocks(MIDNIGHT - 1))
    async with gate.charge([dollars(5)], Expense(), used(4)):
        pass
    async with gate.charge([dollars(5)], Expense(), used(3)):
        pass
    with pytest.raises(ApiError) as refused:
        async with gate.charge([dollars(5)], Expense(), used(1)):
            pass
    assert (refused.value.status, refused.value.code) == (429, "insufficient_quota")
    assert refused.value.headers == {"x-should-retry": "false"}
    assert "the gateway has spent 7 USD today: server.max_cost_per_day is 5 USD" in refused.value.message
    gate.clocks.wait(1)
    async with gate.charge([dollars(5)], Expense(), used(1)):
        pass
    assert await gate.spending.read_spent() == {"": Amount(1, 10**12)}


async def test_a_request_counts_while_it_runs() -> None:
    """With its expected cost, so that many concurrent requests cannot exceed the budget together."""
    gate = Gate(Clocks())
    budgets = [Budget("key:ci", "the key ci", tokens=100)]
    async with gate.charge(budgets, Expense(100), used(1)):
        with pytest.raises(ApiError, match="the key ci has used 0 tokens today, and running requests may use 100"):
            async with gate.charge(budgets, Expense(), used(1)):
                pass
    async with gate.charge(budgets, Expense(99), used(1)):
        pass
    assert (await gate.spending.read_spent())["key:ci"].tokens == 2


async def test_failures_are_charged() -> None:
    """It was paid for, and its reservation ends."""
    gate = Gate(Clocks())
    with pytest.raises(RuntimeError):
        async with gate.charge([dollars(5)], Expense(5, Decimal(5)), used(4)):
            raise RuntimeError
    async with gate.charge([dollars(5)], Expense(), used(0)):
        pass
    assert await gate.spent() == 4


async def test_a_request_without_limits_asks_no_store() -> None:
    """Its usage is written a second later, and counts before."""

    class Deaf(MemoryStore):
        async def reserve(self, claim: Claim) -> Refusal | None:
            raise AssertionError(f"asked by {claim}")

    gate = Gate(Clocks(), Deaf())
    async with gate.charge([Budget("")], Expense(), used(3)):
        pass
    assert await gate.store.read_spent(0, 0.0) == {}
    assert await gate.spent() == 3
    await gate.recorder.close()
    day = int(MIDNIGHT // 86_400)
    assert {key.model: each.requests for key, each in (await gate.store.read_usage(day, day)).items()} == {
        "a": 1,
        "": 1,
    }
    assert UsageKey(day, "", "", "a") in await gate.store.read_usage(day, day)


async def test_a_client_that_leaves_while_reserving_releases_its_claim() -> None:
    """The store may have been about to accept it."""

    class Slow(MemoryStore):
        async def reserve(self, claim: Claim) -> Refusal | None:
            await asyncio.sleep(0.01)
            return await super().reserve(claim)

    gate = Gate(Clocks(), Slow())

    async def ask() -> None:
        async with gate.charge([dollars(5)], Expense(5, Decimal(5)), used(5)):
            raise AssertionError("begun")

    asking = asyncio.ensure_future(ask())
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0.05)
    assert await gate.spend(5)
    assert await gate.spent() == 5


async def test_a_store_that_is_needed_and_fails_is_an_error_of_the_gateway() -> None:
    """With a time to retry, and without the store's own message."""

    class Away(MemoryStore):
        async def reserve(self, claim: Claim) -> Refusal | None:
            raise StoreUnavailableError(f"redis://internal: gone with {claim.id}")

    gate = Gate(Clocks(), Away())
    with pytest.raises(ApiError, match=r"store fails \(store\.on_failure: refuse\)") as refused:
        async with gate.charge([dollars(5)], Expense(), used(1)):
            pass
    assert (refused.value.status, refused.value.code) == (503, "store_unavailable")
    assert refused.value.headers == {"Retry-After": "5"}
    assert "internal" not in refused.value.message


async def test_a_new_day_has_a_new_budget() -> None:
    """It begins at midnight UTC, however short the first day of the process was."""
    gate = Gate(Clocks(MIDNIGHT - 60))
    assert await gate.spend(5)
    assert not await gate.spend(1)
    gate.clocks.wait(59)
    assert not await gate.spend(1)
    for seconds in (1, 86_400, 86_400):
        gate.clocks.wait(seconds)
        assert await gate.spend(5)
        assert not await gate.spend(1)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("moves", [[86_400], [-86_400], [400 * 86_400, -400 * 86_400], [43_200] * 6, [7_200] * 30])
async def test_setting_the_clock_gives_no_new_budget(tmp_path: Path, moves: list[int], *, restarts: bool) -> None:
    """Neither forward nor back, nor in small steps, nor with a restart after each."""
    clocks = Clocks(MIDNIGHT + 3600)
    async with process(clocks, tmp_path) as gate:
        assert await gate.spend(5)
    async with AsyncExitStack() as stack:
        gate = await stack.enter_async_context(process(clocks, tmp_path))
        for move in moves:
            clocks.unix.now += move
            if restarts:
                await stack.aclose()
                gate = await stack.enter_async_context(process(clocks, tmp_path))
            assert not await gate.spend(1)
            assert await gate.spent() == 5


@pytest.mark.parametrize("moves", [[400 * 86_400], [-400 * 86_400], [400 * 86_400, -400 * 86_400], [-86_400, 86_400]])
async def test_setting_the_clock_blocks_no_budget(moves: list[int]) -> None:
    """At most 24 hours later a new day has begun, whether the clock was set right again or not."""
    gate = Gate(Clocks(MIDNIGHT + 3600))
    for move in moves:
        gate.clocks.unix.now += move
        assert await gate.spend(1)
    assert await gate.spend(5 - len(moves))
    for _ in range(2):
        gate.clocks.wait(86_400)
        assert await gate.spend(5)


@pytest.mark.parametrize("error", [400 * 86_400, -400 * 86_400])
async def test_a_wrong_clock_that_is_set_right_before_a_reboot_blocks_no_budget(tmp_path: Path, error: int) -> None:
    """The gateway began with a wrong clock; after the reboot it takes at most 24 hours."""
    clocks = Clocks(MIDNIGHT + 3600)
    clocks.unix.now += error
    async with process(clocks, tmp_path) as gate:
        assert await gate.spend(5)
    clocks.unix.now -= error
    clocks.uptime.now = 5.0
    async with process(clocks, tmp_path, boot="second") as gate:
        await gate.spend(1)
        clocks.wait(86_400)
        assert await gate.spend(5, limit=6)
        clocks.wait(86_400)
        assert await gate.spend(5)


@asynccontextmanager
async def process(clocks: Clocks, folder: Path, boot: str = "boot") -> AsyncGenerator[Gate]:
    """Run the spending of a process on a SQLite file, from its start to its end."""
    store = SqliteStore(folder / "state.db")
    await store.open()
    gate = Gate(clocks, store)
    gate.calendar.offset = await store.share_clock(boot, gate.calendar.offset, clocks.uptime())
    yield gate
    await gate.recorder.close()
    await store.close()


async def test_a_small_error_of_the_clock_is_none() -> None:
    """NTP moves a clock by seconds; the day then begins by the clock, and never twice."""
    gate = Gate(Clocks(MIDNIGHT - 30))
    assert await gate.spend(5)
    gate.clocks.unix.now += 40
    assert await gate.spend(5)
    gate.clocks.unix.now -= 40
    assert not await gate.spend(1)
    gate.clocks.wait(31)
    assert not await gate.spend(1)


async def test_a_request_that_needs_more_than_is_left_is_refused() -> None:
    """By its own estimate, also on an untouched day; a smaller one may still run."""
    gate = Gate(Clocks())
    with pytest.raises(
        ApiError, match=r"has spent 0 USD today\. This request may cost 10 USD: server\.max_cost_per_day"
    ):
        async with gate.charge([dollars(5)], Expense(10, Decimal(10)), used(0)):
            pass
    assert await gate.spend(3)
    assert not await gate.spend(3)
    assert await gate.spend(2)
    with pytest.raises(ApiError, match=r"has used 5 tokens today\. This request may use 7: its tokens_per_day is 10"):
        async with gate.charge([Budget("", tokens=10)], Expense(7), used(0)):
            pass


steps = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(0, 30), st.integers(0, 30)),
        st.tuples(st.just("end"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("wait"), st.integers(0, 100_000), st.just(0)),
    ),
    max_size=60,
)


@given(steps, st.integers(1, 50))
def test_nothing_begins_once_the_budget_is_spent(taken: list[tuple[str, int, int]], limit: int) -> None:
    """Against a plain count of the day; if the estimates hold, a day never exceeds its limit."""
    asyncio.run(play(taken, limit))


async def play(taken: list[tuple[str, int, int]], limit: int) -> None:
    """Take the steps, and count along."""
    clocks, running = Clocks(MIDNIGHT), list[tuple[AsyncExitStack, int, int]]()
    gate = Gate(clocks)
    day, total, largest, estimates_hold = MIDNIGHT // 86_400, 0, 0, True
    for step, first, second in taken:
        if step == "wait":
            clocks.wait(first)
        elif step == "end" and running:
            stack, _, cost = running.pop(first % len(running))
            await stack.aclose()
            total = cost + (total if clocks.unix.now // 86_400 == day else 0)
            day = clocks.unix.now // 86_400
            assert await gate.spent() == total
        elif step == "begin":
            before = total if clocks.unix.now // 86_400 == day else 0
            stack = AsyncExitStack()
            expected = Expense(first, Decimal(first))
            try:
                await stack.enter_async_context(gate.charge([dollars(limit)], expected, used(second), lifetime_s=1e7))
            except ApiError:
                reserved = before + sum(expected for _, expected, _ in running)
                assert reserved >= limit or reserved + first > limit
                continue
            assert before < limit
            running.append((stack, first, second))
            largest, estimates_hold = max(largest, first), estimates_hold and second <= first
        if estimates_hold:
            assert total <= limit
    for stack, _, _ in running:
        await stack.aclose()


def test_a_request_is_charged_to_each_of_its_accounts() -> None:
    """Every request is charged to the gateway; with a key to that as well, and to a mixture that has a limit."""
    key = ApiKey("ci", Secret("k", "K"), tokens_per_day=5, cost_per_day=Decimal(2))
    server = Server(max_cost_per_day=Decimal(9), currency="EUR")
    whole = Budget("", cost=Decimal(9), currency="EUR")
    assert budgets_of(server, None, None) == (whole,)
    of_key = Budget("key:ci", "the key ci", "its cost_per_day", Decimal(2), 5, "EUR")
    assert budgets_of(server, key, Mixture("mom", (), Critic("a"))) == (whole, of_key)
    of_mixture = Budget("mixture:mom", "the mixture mom", "its max_cost_per_day", Decimal(1), None, "EUR")
    mixture = Mixture("mom", (), Critic("a"), max_cost_per_day=Decimal(1))
    assert budgets_of(server, None, mixture) == (whole, of_mixture)


def test_a_request_may_cost_as_much_as_its_limit() -> None:
    """The limit itself is still allowed."""
    check_quote(Expense(10, Decimal("0.5")), Decimal("0.5"), "mom", "USD")
    check_quote(Expense(10, Decimal("0.5")), None, "mom", "USD")
    with pytest.raises(ApiError, match=r"may cost 0\.5001 USD \(about 10 tokens\), and max_cost of mom is 0\.5 USD"):
        check_quote(Expense(10, Decimal("0.5001")), Decimal("0.5"), "mom", "USD")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("0", "0 USD"), ("10", "10 USD"), ("1.23456", "1.2346 USD"), ("0.00001", "0.00001 USD"), ("100000", "100000 USD")],
)
def test_money_is_written_for_people(amount: str, shown: str) -> None:
    """Without an exponent, and without needless zeros."""
    assert money(Decimal(amount), "USD") == shown
