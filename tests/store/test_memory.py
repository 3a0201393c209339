"""The store in memory; the contract of all stores is in test_contract.py."""

import pytest

from store import memory
from store.memory import MemoryStore
from store.store import Outcome, Remembered


async def test_it_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it stays bounded: records, and the ids that count once."""
    monkeypatch.setattr(memory, "_MAX_RECORDS", 3)
    store = MemoryStore()
    for number in range(5):
        await store.remember([Remembered(str(number), b"x", 100)], 0.0)
        assert await store.add_outcomes(str(number), [Outcome("a", "k", "right")], 0.0, 1.0)
    assert sorted(await store.recall("01234", 1.0)) == ["2", "3", "4"]
    assert not await store.add_outcomes("4", [], 0.0, 1.0)
    assert await store.add_outcomes("0", [], 0.0, 1.0)


async def test_ids_expire() -> None:
    """After 30 days they count again."""
    store = MemoryStore()
    assert await store.add_outcomes("a", [], 0.0, 1.0)
    assert await store.add_outcomes("a", [], 31 * 86_400.0, 1.0)
