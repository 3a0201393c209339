"""Feedback over every store: shared by processes, counted once, and without any text."""

import asyncio
import time
from pathlib import Path

from store.store import Store
from tests.handlers.feedback_gateway import ONE, OTHER, THANKS, WRONG, Gateway, counts, said, user
from tests.synth.feedback.learning import SCOPE, member

CANARY = "Tweety-7f3a"


def read_all(folder: Path) -> bytes:
    """Return every byte of the files below a folder."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_two_processes_share_feedback(store: Store) -> None:
    """One process gives the answer, another reads the news, and both have the counts."""
    one, other = Gateway(store, time.time()), Gateway(store, time.time())
    await one.ask()
    await one.loop.write()
    await other.tell(WRONG)
    await one.loop.refresh()
    for each in (one, other):
        assert round(each.loop.trust.rate(SCOPE, member("a"), "front").wrong, 3) == 1
        await each.loop.close()


async def test_the_same_news_at_two_processes_count_once(store: Store) -> None:
    """A client that retries reaches both processes at the same time."""
    one, other = Gateway(store, time.time()), Gateway(store, time.time())
    await one.ask()
    await one.loop.write()
    await asyncio.gather(one.tell(WRONG), other.tell(WRONG))
    assert (await counts(store))["a", "wrong"] == 1
    for each in (one, other):
        await each.loop.close()


async def test_a_new_process_reads_the_counts(store: Store) -> None:
    """After a restart the counts are read before further feedback, and open answers are still recognised."""
    before = Gateway(store, time.time())
    await before.ask()
    await before.loop.close()
    after = Gateway(store, time.time())
    await after.tell(THANKS)
    assert (await counts(store))["a", "right"] == 1
    await after.loop.close()


async def test_no_file_holds_a_word(store: Store, tmp_path: Path) -> None:
    """Neither prompts nor answers nor news are in any byte that a store has written."""
    gateway = Gateway(store, time.time())
    answer = f"{ONE} {CANARY}"
    await gateway.ask(user(f"Where is {CANARY}?"), replies=(answer, OTHER))
    await gateway.loop.write()
    await gateway.ask(user(f"Where is {CANARY}?"), said(answer), user(f"{WRONG} {CANARY}"))
    await gateway.loop.close()
    assert (await counts(store))["a", "wrong"] == 1
    written = read_all(tmp_path) + repr(vars(store)).encode()
    assert b"front_wrong" in written
    for word in (CANARY, ONE, OTHER, WRONG, "forty-two"):
        assert word.encode() not in written
