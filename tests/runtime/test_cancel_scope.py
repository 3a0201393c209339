"""Blocks that are ended from outside."""

import asyncio

import pytest

from runtime.cancel_scope import Cuttable


class Block(Cuttable):
    """Says on leaving whether it was cut."""

    def __enter__(self) -> None:
        self._begin()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self.was_cut = self._was_cut(kind)
        return self.was_cut


async def test_what_waits_is_cancelled_and_its_task_goes_on() -> None:
    """And the block may begin again."""
    block = Block()
    for _ in range(2):
        asyncio.get_running_loop().call_soon(block.cut)
        with block:
            await asyncio.Event().wait()
        assert block.was_cut
    await asyncio.sleep(0)


async def test_nobody_is_cut_outside_the_block() -> None:
    """Neither before, nor after."""
    block = Block()
    block.cut()
    with block:
        await asyncio.sleep(0)
    block.cut()
    await asyncio.sleep(0)
    assert not block.was_cut


async def test_who_is_cancelled_as_well_stays_cancelled() -> None:
    """Whatever comes first."""
    block = Block()

    async def wait() -> None:
        with block:
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    block.cut()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not block.was_cut


async def test_another_fault_is_not_hidden() -> None:
    """Where what was cancelled ends with an error of its own, that is the error."""
    block = Block()

    async def fail() -> None:
        with block:
            try:
                await asyncio.Event().wait()
            finally:
                raise ValueError("mine")

    asyncio.get_running_loop().call_soon(block.cut)
    with pytest.raises(ValueError, match="mine"):
        await fail()
    await asyncio.sleep(0)
