"""The feedback loop, over a store in memory."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from handlers.feedback_loop import REFRESH_EVERY_S, FeedbackLoop, list_counts
from runtime.background import Background
from store.memory import MemoryStore
from store.store import Tally
from synth.feedback.trust import HALF_LIFE_S
from tests.handlers.feedback_gateway import NEXT, ONE, OTHER, THANKS, WRONG, Gateway, counts, said, user
from tests.synth.feedback.learning import SCOPE, member
from tests.synth.scripted_pool import scene


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def gateway(store: MemoryStore) -> AsyncGenerator[Gateway]:
    gateway = Gateway(store)
    yield gateway
    await gateway.loop.close()
    await gateway.background.finish(0)


async def test_a_wrong_answer_is_counted(gateway: Gateway, store: MemoryStore) -> None:
    """The next request carries the answer and says that it was wrong: its author loses, the others stay open."""
    await gateway.ask()
    await gateway.tell(WRONG)
    assert await counts(store) == {
        ("", "wrong"): 1,
        ("", "picked"): 1,
        ("a", "wrong"): 1,
        ("a", "front_wrong"): 1,
        ("b", "open_wrong"): 1,
    }


async def test_news_count_once(gateway: Gateway, store: MemoryStore) -> None:
    """Clients send whole conversations again and again, and retry requests."""
    await gateway.ask()
    for _ in range(3):
        await gateway.tell(WRONG)
    assert (await counts(store))["a", "wrong"] == 1


async def test_a_later_verdict_replaces_the_first(gateway: Gateway, store: MemoryStore) -> None:
    """An applied edit counts as right until a later verdict says that it is wrong."""
    await gateway.ask()
    await gateway.tell(NEXT)
    assert (await counts(store))["a", "right"] == 1
    await gateway.tell(WRONG)
    found = await counts(store)
    assert found["a", "wrong"] == 1
    assert ("a", "right") not in found


async def test_a_final_verdict_stays(gateway: Gateway, store: MemoryStore) -> None:
    """An answer judged right is not judged wrong by the same conversation later."""
    await gateway.ask()
    await gateway.tell(THANKS)
    await gateway.tell(WRONG)
    assert (await counts(store))["a", "right"] == 1


async def test_another_clients_answer_is_unknown(gateway: Gateway, store: MemoryStore) -> None:
    """A request is no feedback on answers that another client received."""
    await gateway.ask()
    await gateway.tell(WRONG, client="other")
    assert await counts(store) == {}


async def test_an_answer_of_another_gateway_is_unknown(gateway: Gateway, store: MemoryStore) -> None:
    """A conversation that was begun elsewhere teaches nothing."""
    await gateway.tell(WRONG, answer="An answer that another gateway has given.")
    assert await counts(store) == {}


async def test_two_processes_share_feedback(store: MemoryStore) -> None:
    """One process gives the answers, the other reads the news, and the first one has the counts."""
    one, other = Gateway(store), Gateway(store)
    for number in range(40):
        await one.ask(replies=(f"{number}: {ONE}", OTHER))
        await one.loop.write()
        await other.tell(WRONG, answer=f"{number}: {ONE}")
    assert (await counts(store))["a", "front_wrong"] == 40
    assert one.loop.trust.rate(SCOPE, member("a"), "front").wrong == 0
    one.now += REFRESH_EVERY_S + 1
    await one.ask()
    await asyncio.sleep(0)
    assert one.loop.trust.rate(SCOPE, member("a"), "front").wrong == pytest.approx(40, rel=1e-3)
    for each in (one, other):
        await each.loop.close()
        await each.background.finish(0)


async def test_some_requests_have_no_learner(gateway: Gateway) -> None:
    """A mixture with `learn: off` and a panel of one model have no learner."""
    assert gateway.begin(scene({"a": ONE}, panel=("a",), critic=None)) is None
    assert gateway.begin(scene({"a": ONE, "b": ONE}, critic=None, learn="off")) is None


async def test_a_repeated_answer_is_judged_again(gateway: Gateway, store: MemoryStore) -> None:
    """A model that answers a complaint with the same text is wrong again only after a further complaint."""
    complaint = [user("Why?"), said(ONE), user(WRONG)]
    await gateway.ask()
    await gateway.ask(*complaint)
    await gateway.loop.write()
    assert (await counts(store))["a", "wrong"] == 1
    await gateway.ask(*complaint, said(ONE), user("Still wrong."))
    await gateway.loop.write()
    assert (await counts(store))["a", "wrong"] == 2


async def test_a_batch_is_written_by_itself(store: MemoryStore) -> None:
    """It is written a second after its first request; no request waits for it."""
    slept: list[float] = []
    awake = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        awake.set()

    background = Background()
    gateway = Gateway(store)
    gateway.loop = FeedbackLoop(store, background, unix_time=lambda: 1_000_000.0, sleep=sleep)
    await gateway.ask()
    await gateway.ask(user("Why?"), said(ONE), user(WRONG))
    await awake.wait()
    await asyncio.sleep(0)
    await background.finish(10)
    assert set(slept) == {1.0}
    assert (await counts(store))["a", "wrong"] == 1


async def test_the_last_batch_is_written_at_the_end(gateway: Gateway, store: MemoryStore) -> None:
    """A gateway that shuts down does not wait for the next second, and loses nothing."""
    await gateway.ask()
    await gateway.ask(user("Why?"), said(ONE), user(WRONG))
    await gateway.loop.close()
    assert (await counts(store))["a", "wrong"] == 1


async def test_no_store_holds_a_word(gateway: Gateway, store: MemoryStore) -> None:
    """Neither prompts nor answers nor news are in anything that is stored."""
    for news in ([], [said(ONE), user(WRONG)]):
        await gateway.ask(user("The canary is called Tweety."), *news)
    await gateway.loop.write()
    kept = repr(vars(store))
    assert "wrong" in kept
    assert not any(word in kept for word in ("canary", "Tweety", "forty", "answer is", WRONG))


def test_counts_fade() -> None:
    """Older counts in a store have less weight."""
    tally = Tally(member("a"), SCOPE, "right", 4, 4.0, 1_000.0)
    (count,) = list_counts([tally], 1_000.0 + HALF_LIFE_S)
    assert (count.weight, count.n, count.scope, count.member) == (2.0, 4, SCOPE, member("a"))
