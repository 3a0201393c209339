"""The scripts state the rules of store/rules.py in Lua: both are played through the same random days."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.memory import MemoryStore
from store.redis_store import RedisStore
from store.store import NOTHING, Amount, Batch, Claim, Limit, Store
from tests.redis_server import RedisServer

steps = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(0, 4), st.integers(0, 6), st.integers(0, 2)),
        st.tuples(st.just("record"), st.integers(0, 9), st.integers(0, 4), st.integers(0, 2)),
    ),
    max_size=30,
)


async def play(store: Store, taken: list[tuple[str, int, int, int]], run: str) -> list[object]:
    """Return what a store replied to the steps."""
    replies: list[object] = []
    for number, (step, first, second, day) in enumerate(taken):
        limits = (Limit(f"{run}a", cost=7), Limit(f"{run}b", tokens=9))[: 1 + second % 2]
        if step == "reserve":
            claim = Claim(f"{run}{number}", day, float(day), 1000.0, Amount(first, second), limits)
            refusal = await store.reserve(claim)
            replies.append(refusal and (refusal.by, refusal.name, refusal.spent, refusal.reserved))
        else:
            charged = {f"{run}a": Amount(second, first)}
            await store.record(Batch(run, number, day, float(day), charged, (f"{run}{first}",)))
            replies.append((await store.read_spent(day, float(day))).get(f"{run}a", NOTHING))
    return replies


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(taken=steps)
async def test_both_give_the_same_replies(redis_server: RedisServer, taken: list[tuple[str, int, int, int]]) -> None:
    """To claims and batches of three days in any order."""
    store = RedisStore(redis_server.url)
    await store.open()
    assert store._client is not None
    await store._client.flushdb()
    assert await play(store, taken, "x") == await play(MemoryStore(), taken, "x")
    await store.close()
