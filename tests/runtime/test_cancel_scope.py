"""Cancel scopes: blocks that are ended from outside."""

import asyncio

import pytest

from runtime.cancel_scope import CancelScope


class Block(CancelScope):
    """Records on leaving whether it was ended by `cancel`."""

    def __enter__(self) -> None:
        self._enter()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self.was_cancelled = self._leave(kind)
        return self.was_cancelled


async def test_a_cancelled_scope_ends_and_its_task_continues() -> None:
    """The same scope can be entered again afterwards."""
    block = Block()
    for _ in range(2):
        asyncio.get_running_loop().call_soon(block.cancel)
        with block:
            await asyncio.Event().wait()
        assert block.was_cancelled
    await asyncio.sleep(0)


async def test_cancelling_an_idle_scope_does_nothing() -> None:
    """Neither before it is entered nor after it is left."""
    block = Block()
    block.cancel()
    with block:
        await asyncio.sleep(0)
    block.cancel()
    await asyncio.sleep(0)
    assert not block.was_cancelled


@pytest.mark.parametrize("scope_first", [True, False])
async def test_a_task_that_is_cancelled_as_well_stays_cancelled(*, scope_first: bool) -> None:
    """The scope never swallows another cancellation, whichever comes first."""
    block = Block()

    async def wait() -> None:
        with block:
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    for cancel in (block.cancel, task.cancel) if scope_first else (task.cancel, block.cancel):
        cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not block.was_cancelled


async def test_another_exception_is_not_hidden() -> None:
    """If the cancelled code raises an exception of its own, that one leaves the block."""
    block = Block()

    async def fail() -> None:
        with block:
            try:
                await asyncio.Event().wait()
            finally:
                raise ValueError("mine")

    asyncio.get_running_loop().call_soon(block.cancel)
    with pytest.raises(ValueError, match="mine"):
        await fail()
    await asyncio.sleep(0)
