"""The SQLite file: its mode, damage, a full disk, several processes; the contract is in test_contract.py."""

import asyncio
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path

import pytest

from store.sqlite_store import SqliteStore
from store.store import Amount, Batch, Claim, Limit, StoreError

BATCH = Batch("w", 1, 100, 0.0, {"": Amount(1, 3)})


async def test_no_other_user_can_read_the_file(tmp_path: Path) -> None:
    """The file, its journal, and the folder; also if the file was there with another mode."""
    path = tmp_path / "state" / "state.db"
    store = SqliteStore(path)
    await store.open()
    path.chmod(0o644)
    await store.open()
    await store.record(BATCH)
    assert {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {
        "state.db": 0o600,
        "state.db-wal": 0o600,
        "state.db-shm": 0o600,
    }
    assert path.parent.stat().st_mode & 0o777 == 0o700
    await store.close()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_a_damaged_file_is_an_error_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    """Its operator may want to recover data from it."""
    path = tmp_path / "state.db"
    path.write_bytes(content)
    store = SqliteStore(path)
    with pytest.raises(StoreError, match=r"state\.db: "):
        await store.open()
    with pytest.raises(StoreError):
        await store.record(BATCH)
    assert path.read_bytes() == content
    await store.close()


async def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """It is a StoreError, which callers expect."""
    (tmp_path / "file").write_text("x")
    store = SqliteStore(tmp_path / "file" / "state.db")
    with pytest.raises(StoreError):
        await store.open()
    await store.close()


async def test_a_full_disk_is_an_error_that_changes_nothing(tmp_path: Path) -> None:
    """The store works again as soon as there is room."""
    store = SqliteStore(tmp_path / "state.db")
    await store.open()
    await store._run(lambda: store._db and store._db.execute("PRAGMA max_page_count = 1"))
    large = Batch("w", 1, 100, 0.0, {f"{number}" * 100: Amount(1, 1) for number in range(5000)})
    with pytest.raises(StoreError, match="full"):
        await store.record(large)
    assert await store.read_spent(100, 0.0) == {}
    await store._run(lambda: store._db and store._db.execute("PRAGMA max_page_count = 1000000"))
    await store.record(large)
    assert len(await store.read_spent(100, 0.0)) == 5000
    await store.close()


_CLAIMS = """
import asyncio, sys
from pathlib import Path
from store.sqlite_store import SqliteStore
from store.store import Amount, Claim, Limit

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    claims = [Claim(f"{sys.argv[2]}{n}", 100, 0.0, 60.0, Amount(1, 1), (Limit("", cost=100),)) for n in range(100)]
    refusals = await asyncio.gather(*map(store.reserve, claims))
    print(refusals.count(None), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_processes_share_a_file_and_one_that_is_killed_damages_nothing(tmp_path: Path) -> None:
    """Two processes that ask for a hundred each get a hundred together."""
    path = tmp_path / "state.db"
    asked = [await create_subprocess_exec(sys.executable, "-c", _CLAIMS, str(path), name, stdout=PIPE) for name in "ab"]
    admitted = [int(await asyncio.wait_for(each.stdout.readline(), 60)) for each in asked if each.stdout]
    for each in asked:
        each.kill()
        await each.communicate()
    assert sum(admitted) == 100
    store = SqliteStore(path)
    await store.open()
    held = await store.reserve(Claim("c", 100, 1.0, 60.0, Amount(0, 1), (Limit("", cost=100),)))
    assert held is not None
    assert held.reserved.cost == 100
    assert await store.reserve(Claim("c", 100, 61.0, 60.0, Amount(0, 1), (Limit("", cost=100),))) is None
    await store.close()
