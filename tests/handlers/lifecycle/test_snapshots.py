"""Snapshots: each request keeps the one that it began with, and a replaced one ends after its last request."""

import asyncio
from typing import cast

from handlers.context import Snapshot
from handlers.lifecycle.snapshots import Snapshots


class Ends:
    """Records which snapshots have ended, in order."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def __call__(self, snapshot: Snapshot) -> None:
        await asyncio.sleep(0)
        self.ended.append(str(snapshot))


def named(name: str) -> Snapshot:
    """Return a stand-in: `Snapshots` never looks into a snapshot."""
    return cast("Snapshot", name)


def names(*snapshots: Snapshot) -> list[str]:
    return [str(snapshot) for snapshot in snapshots]


async def settle() -> None:
    """Let the tasks run that end snapshots."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_lease_keeps_its_snapshot() -> None:
    """A request sees one configuration, also if a reload comes in between."""
    ends = Ends()
    snapshots = Snapshots(named("one"), ends)
    with snapshots.lease() as before:
        snapshots.replace(named("two"))
        with snapshots.lease() as after:
            assert names(before, after, snapshots.current) == ["one", "two", "two"]
            assert sorted(names(*snapshots.alive)) == ["one", "two"]
        await settle()
        assert ends.ended == []
    await settle()
    assert ends.ended == ["one"]
    assert names(*snapshots.alive) == ["two"]


async def test_an_unused_snapshot_ends_when_it_is_replaced() -> None:
    """There is no request to wait for."""
    ends = Ends()
    snapshots = Snapshots(named("one"), ends)
    snapshots.replace(named("two"))
    await settle()
    assert ends.ended == ["one"]


async def test_the_last_of_several_leases_ends_it() -> None:
    """Once, and not the current snapshot, however often it is unused."""
    ends = Ends()
    snapshots = Snapshots(named("one"), ends)
    with snapshots.lease():
        pass
    with snapshots.lease(), snapshots.lease():
        snapshots.replace(named("two"))
    await settle()
    assert ends.ended == ["one"]


async def test_close_ends_every_snapshot() -> None:
    """Also those whose end has begun already; it returns when all have ended."""
    ends = Ends()
    snapshots = Snapshots(named("one"), ends)
    snapshots.replace(named("two"))
    await snapshots.close()
    assert sorted(ends.ended) == ["one", "two"]
    assert snapshots.alive == ()
