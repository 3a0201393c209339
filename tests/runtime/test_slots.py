"""So many at once, in their order."""

import asyncio

from runtime.slots import Slots
from tests.upstream.clocks import settle


async def test_first_come_first_served() -> None:
    """And nobody who comes later overtakes those who wait."""
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


async def test_a_slot_that_is_given_to_one_who_leaves_goes_to_the_next() -> None:
    """Also where both happen in the same turn of the loop."""
    slots = Slots(1)
    slots.take()
    leaves, stays = (asyncio.create_task(slots.wait()) for _ in range(2))
    await settle()
    slots.free()
    leaves.cancel()
    await asyncio.wait_for(stays, 60)
    assert (leaves.cancelled(), slots.n_taken, slots.n_waiting) == (True, 1, 0)


async def test_a_higher_limit_lets_in_who_waits() -> None:
    """As soon as it is told."""
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


async def test_emptied_is_when_the_last_one_has_left() -> None:
    """At once where nobody is in."""
    slots = Slots(2)
    await slots.emptied()
    slots.take()
    slots.take()
    emptied = asyncio.create_task(slots.emptied())
    slots.free()
    await settle()
    assert not emptied.done()
    slots.free()
    await asyncio.wait_for(emptied, 60)
