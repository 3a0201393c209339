"""A FIFO semaphore whose limit may change."""

import asyncio

from runtime.slots import Slots
from tests.upstream.clocks import settle


async def test_waiting_tasks_are_served_in_their_order() -> None:
    """A task that arrives later never overtakes a waiting one."""
    slots, served = Slots(1), []

    async def come(name: str) -> None:
        await slots.wait()
        served.append(name)

    assert slots.take()
    tasks = [asyncio.create_task(come(name)) for name in "abc"]
    await settle()
    assert (slots.take(), slots.n_waiting) == (False, 3)
    for n_served in range(1, 4):
        slots.free()
        await settle()
        assert served == list("abc")[:n_served]
        assert slots.n_taken == 1
    await asyncio.gather(*tasks)


async def test_a_cancelled_task_passes_its_slot_on() -> None:
    """Also if it gets the slot and is cancelled in the same turn of the loop."""
    slots = Slots(1)
    slots.take()
    leaves, stays = (asyncio.create_task(slots.wait()) for _ in range(2))
    await settle()
    slots.free()
    leaves.cancel()
    await asyncio.wait_for(stays, 60)
    assert (leaves.cancelled(), slots.n_taken, slots.n_waiting) == (True, 1, 0)


async def test_a_higher_limit_admits_waiting_tasks() -> None:
    """As many as it allows, as soon as `fill` is called."""
    slots = Slots(1)
    slots.take()
    tasks = [asyncio.create_task(slots.wait()) for _ in range(3)]
    await settle()
    slots.limit = 3
    slots.fill()
    await settle()
    assert (slots.n_taken, slots.n_waiting, slots.is_full()) == (3, 1, True)
    tasks.pop().cancel()
    await asyncio.gather(*tasks)


async def test_emptied_returns_when_no_slot_is_taken() -> None:
    """At once if none was taken."""
    slots = Slots(2)
    await slots.wait_until_empty()
    slots.take()
    slots.take()
    emptied = asyncio.create_task(slots.wait_until_empty())
    slots.free()
    await settle()
    assert not emptied.done()
    slots.free()
    await asyncio.wait_for(emptied, 60)


async def test_refusing_ends_every_wait_with_the_given_exception() -> None:
    """Those that hold a slot keep it."""
    slots = Slots(1)
    assert slots.take()
    waiting = [asyncio.create_task(slots.wait()) for _ in range(2)]
    await settle()
    slots.refuse(lambda: ConnectionError("closed"))
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionError, ConnectionError]
    assert (slots.n_taken, slots.n_waiting) == (1, 0)
