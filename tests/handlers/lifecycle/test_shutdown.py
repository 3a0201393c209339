"""The phases of a shutdown: refuse, wait, then end the remaining requests with an error that handlers can send."""

import asyncio

import pytest

from config.settings import Server
from handlers.errors import ApiError
from handlers.gate.admission import Admission
from handlers.lifecycle.shutdown import RETRY_AFTER_S, Shutdown, shutting_down


def test_the_error_has_retry_after() -> None:
    """Clients that retry do so after a restart."""
    error = shutting_down()
    assert (error.status, error.code, error.headers) == (503, "shutting_down", {"Retry-After": str(RETRY_AFTER_S)})


async def test_a_late_request_is_refused_at_once() -> None:
    """Without a cancellation that would affect later code."""
    overdue = Shutdown(Admission())
    overdue.cancel_running()
    with pytest.raises(ApiError) as refused, overdue.bounded():
        raise AssertionError("it must not begin")
    assert refused.value.code == "shutting_down"
    await asyncio.sleep(0)


async def test_running_blocks_end_with_an_error() -> None:
    """All of them, and none that has ended before; each handler goes on to send the error."""
    shutdown = Shutdown(Admission())
    sent: list[str | None] = []

    async def handle() -> None:
        try:
            with shutdown.bounded():
                await asyncio.Event().wait()
        except ApiError as error:
            await asyncio.sleep(0)  # as a write to the client does
            sent.append(error.code)

    with shutdown.bounded():
        pass
    tasks = [asyncio.create_task(handle()) for _ in range(2)]
    await asyncio.sleep(0)
    shutdown.cancel_running()
    await asyncio.gather(*tasks)
    assert sent == ["shutting_down"] * 2


async def test_a_client_that_leaves_is_no_shutdown() -> None:
    """Its cancellation stays a cancellation."""
    shutdown = Shutdown(Admission())

    async def handle() -> None:
        with shutdown.bounded():
            await asyncio.Event().wait()

    task = asyncio.create_task(handle())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not shutdown.has_begun


async def test_running_requests_are_waited_for() -> None:
    """They end as they would have; new ones are refused meanwhile. It ends with the last, long before its time."""
    admission, gate = Admission(), asyncio.Event()
    shutdown = Shutdown(admission)
    limits = Server(max_concurrent_requests=2)

    async def handle() -> str:
        assert admission.try_enter(limits)
        try:
            with shutdown.bounded():
                await gate.wait()
            return "answered"
        finally:
            admission.leave()

    running = asyncio.create_task(handle())
    await asyncio.sleep(0)
    stopping = asyncio.create_task(shutdown.stop(3600.0))
    await asyncio.sleep(0)
    assert shutdown.has_begun
    with pytest.raises(ApiError) as refused:
        await admission.enter(limits)
    assert refused.value.code == "shutting_down"
    assert not stopping.done()
    gate.set()
    assert await running == "answered"
    await stopping


async def test_the_rest_is_cancelled_when_time_is_up() -> None:
    """With a timeout of 0 at once; the handlers' error replies are waited for."""
    admission = Admission()
    shutdown = Shutdown(admission)
    said: list[str] = []

    async def handle() -> None:
        try:
            with shutdown.bounded():
                await asyncio.Event().wait()
        except ApiError as error:
            said.append(error.message)
        finally:
            admission.leave()

    assert admission.try_enter(Server())
    task = asyncio.create_task(handle())
    await asyncio.sleep(0)
    await shutdown.stop(0.0)
    assert said == ["the gateway is stopping"]
    await task
