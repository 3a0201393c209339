"""Places and the queue for them, without a socket."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Server
from handlers.errors import ApiError
from handlers.gate.admission import Admission
from handlers.lifecycle.shutdown import shutting_down
from tests.upstream.clocks import settle

ONE = Server(max_concurrent_requests=1, max_queued_requests=8, max_queue_wait_s=60)


async def hold(admission: Admission, until: asyncio.Event, limits: Server = ONE) -> bool:
    waits = not admission.try_enter(limits)
    if waits:
        await admission.enter(limits)
    try:
        await until.wait()
    finally:
        admission.leave()
    return waits


async def test_a_place_that_is_given_to_one_who_leaves_goes_to_the_next() -> None:
    """Also where both happen in the same turn of the loop."""
    admission, until = Admission(), asyncio.Event()
    assert admission.try_enter(ONE)
    leaves, stays = (asyncio.create_task(hold(admission, until)) for _ in range(2))
    await settle()
    assert admission.waiting == 2
    admission.leave()
    leaves.cancel()  # has its place by now, and has not run since
    await settle()
    assert (admission.running, admission.waiting) == (1, 0)
    until.set()
    assert await stays
    await asyncio.wait_for(admission.wait_until_empty(), 60)
    assert leaves.cancelled()


async def test_closing_refuses_those_who_wait_and_spares_those_who_run() -> None:
    """The gate is empty when the last running request ends."""
    admission, until = Admission(), asyncio.Event()
    runs, waits = (asyncio.create_task(hold(admission, until)) for _ in range(2))
    await settle()
    admission.close(shutting_down)
    for refused in (waits, asyncio.create_task(hold(admission, until))):
        with pytest.raises(ApiError) as caught:
            await refused
        assert (caught.value.status, caught.value.code) == (503, "shutting_down")
    assert admission.running == 1
    until.set()
    assert await runs is False
    await asyncio.wait_for(admission.wait_until_empty(), 60)


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 3))
def test_the_limit_holds_and_every_waiting_request_is_served(leaving: list[int], most: int) -> None:
    """In any order of leaving, the limit holds, and no place stays free while a request waits."""

    async def play() -> None:
        limits = Server(max_concurrent_requests=most, max_queued_requests=100, max_queue_wait_s=60)
        admission = Admission()
        tasks: list[asyncio.Task[bool]] = []
        for which in leaving:
            tasks.append(asyncio.create_task(hold(admission, asyncio.Event(), limits)))
            await settle()
            if which < len(tasks):
                tasks.pop(which).cancel()
                await settle()
            assert admission.running == min(most, len(tasks))
            assert admission.waiting == len(tasks) - admission.running
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (admission.running, admission.waiting) == (0, 0)

    asyncio.run(play())


async def test_no_request_waits_after_shutdown() -> None:
    """A request that arrives after the queue was closed is refused at once, like those in it."""
    admission = Admission()
    limits = Server(max_concurrent_requests=1)
    assert admission.try_enter(limits)
    admission.close(lambda: ApiError(503, "the end"))
    with pytest.raises(ApiError, match="the end"):
        await admission.enter(limits)
