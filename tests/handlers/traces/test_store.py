"""Where traces are kept: on disk, and in memory."""

import errno
import json
import math
import os
import stat
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from handlers.traces import folder_store
from handlers.traces import store as trace_store
from handlers.traces.as_markdown import markdown
from handlers.traces.folder_store import TraceFolder
from handlers.traces.memory_store import TraceMemory
from handlers.traces.store import TraceStore

CALL: dict[str, Any] = {
    **dict.fromkeys(("role", "model", "upstream_model"), "a"),
    **dict.fromkeys(("started_s", "ended_s", "cost")),
    "outcome": "ok",
    "prompt_tokens": 1,
    "completion_tokens": 1,
    "estimated": False,
    "attempts": [],
}


def document(name: str, text: str = "hi") -> dict[str, Any]:
    return {
        "id": name,
        "time": "2026-01-01T00:00:00Z",
        "outcome": "ok",
        "status": 200,
        "client": None,
        "decided_by": "critic",
        "mixture": "mom",
        "mode": "fuse",
        "timings": {"total_s": 1.0, "panel_s": None, "critic_s": None},
        "request": {"messages": [{"role": "user", "content": text}]},
        "calls": [],
        "layers": [],
        "candidates": [],
        "failures": [],
        "authors": [],
        "verifications": [],
        "answers": [],
        "error": None,
        "ledger": {"prompt_tokens": 0, "completion_tokens": 0, "estimated": False, "cost": None, "currency": "USD"},
    }


def readable(store: TraceStore) -> list[str]:
    return [found["id"] for trace_id in store.ids() if (found := store.document(trace_id)) is not None]


def held_up(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let no trace be written before the event is set."""
    gate = threading.Event()
    monkeypatch.setattr(folder_store, "markdown", lambda trace: (gate.wait(30), markdown(trace))[1])
    return gate


def add(store: TraceStore, *documents: dict[str, Any], n_bytes: int = 100) -> None:
    for each in documents:
        store.add(each["id"], partial(dict, each), n_bytes)


def stored(folder: Path, *documents: dict[str, Any], **options: Any) -> TraceFolder:
    store = TraceFolder(folder, **options)
    store.open()
    add(store, *documents)
    store.close()
    return store


def remembered(*documents: dict[str, Any], **options: Any) -> TraceMemory:
    store = TraceMemory(**options)
    add(store, *documents)
    store.close()
    return store


def test_a_trace_is_two_files_that_only_the_owner_reads(tmp_path: Path) -> None:
    """JSON and Markdown, mode 0600, named after the reply."""
    stored(tmp_path / "t", document("chatcmpl-1"))
    names = sorted(path.name for path in (tmp_path / "t").iterdir())
    assert names == ["chatcmpl-1.json", "chatcmpl-1.md"]
    assert json.loads((tmp_path / "t" / "chatcmpl-1.json").read_text())["outcome"] == "ok"
    for path in (tmp_path / "t").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_oldest_go_past_the_bound(tmp_path: Path) -> None:
    """Also those of an earlier process."""
    stored(tmp_path, *(document(f"chatcmpl-{number}") for number in range(3)))
    stored(tmp_path, *(document(f"chatcmpl-{number}") for number in range(3, 6)), keep=2)
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["chatcmpl-4.json", "chatcmpl-5.json"]
    assert len(list(tmp_path.iterdir())) == 4


def test_keys_are_taken_out_of_every_text(tmp_path: Path) -> None:
    """Wherever they stand; short words that would take innocent text along stay."""
    stored(tmp_path, document("chatcmpl-1", "my key is sk-0123456789"), secrets=["sk-0123456789", "key"])
    for path in tmp_path.iterdir():
        assert "sk-0123456789" not in path.read_text()
        assert "my key is [redacted]" in path.read_text()


def test_what_a_killed_process_left_is_swept_up(tmp_path: Path) -> None:
    """Unfinished files are hidden, and gone after the next start."""
    (tmp_path / ".chatcmpl-9.json.part").write_text("{")
    stored(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """At the start, not at the first request."""
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        TraceFolder(tmp_path / "file" / "t").open()


def test_a_trace_that_cannot_be_written_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A full or vanished disk costs the trace, and the log says so."""
    store = TraceFolder(tmp_path / "t")
    store.open()
    (tmp_path / "t").rmdir()
    add(store, document("chatcmpl-1"))
    store.close()
    assert "could not be kept" in capsys.readouterr().out


def test_more_than_can_wait_is_dropped_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Memory stays bounded where the disk is slow."""
    gate = held_up(monkeypatch)
    store = TraceFolder(tmp_path)
    store.open()
    for number in range(trace_store.MAX_PENDING + 1):
        add(store, document(f"chatcmpl-{number:03}"))
    assert "trace dropped" in capsys.readouterr().out
    gate.set()
    store.close()
    assert len(list(tmp_path.glob("*.json"))) == trace_store.MAX_PENDING


def test_a_lone_surrogate_can_be_written(tmp_path: Path) -> None:
    """Odd text is escaped, not lost."""
    stored(tmp_path, document("chatcmpl-1", "\ud83d"))
    assert "\\ud83d" in (tmp_path / "chatcmpl-1.md").read_text()


@pytest.mark.parametrize("odd", [math.inf, 10**30, "\ud83d", {"a": ["\udc00", -math.inf]}])
def test_what_is_no_json_by_the_book_is_kept_as_it_was(tmp_path: Path, odd: Any) -> None:
    """On disk and in memory."""
    trace = document("chatcmpl-1") | {"calls": [{**CALL, "attempts": [{"usage": odd}]}]}
    for store in (stored(tmp_path, trace), remembered(trace)):
        found = store.document("chatcmpl-1")
        assert found is not None
        assert found["calls"][0]["attempts"][0]["usage"] == odd


def test_a_key_is_taken_out_beside_odd_values(tmp_path: Path) -> None:
    """Those go another way through the encoder."""
    trace = document("chatcmpl-1", "\ud83d sk-0123456789 kläger-schlüssel") | {"calls": [{**CALL, "cost": math.inf}]}
    stored(tmp_path, trace, secrets=["sk-0123456789", "kläger-schlüssel"])
    text = "".join(path.read_text() for path in tmp_path.iterdir())
    assert text.count("[redacted] [redacted]") == 2
    assert "sk-0123456789" not in text
    assert "schlüssel" not in text


def test_a_trace_that_fails_costs_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    """Of those that wait together each is kept or told of by itself, in order."""
    store, gate = TraceMemory(), threading.Event()
    store.add("chatcmpl-1", lambda: (gate.wait(30), document("chatcmpl-1"))[1], 1)
    store.add("chatcmpl-2", lambda: {"id": "chatcmpl-2", "odd": object()}, 1)
    add(store, document("chatcmpl-3"))
    gate.set()
    store.close()
    assert store.ids() == ["chatcmpl-3", "chatcmpl-1"]
    assert "could not be kept" in capsys.readouterr().out


def test_a_trace_can_be_read_as_soon_as_it_was_added(tmp_path: Path) -> None:
    """The thread gathers some before it writes; who asks for one waits for it."""
    for store in (TraceFolder(tmp_path), TraceMemory()):
        if isinstance(store, TraceFolder):
            store.open()
        add(store, document("chatcmpl-1"))
        found = store.document("chatcmpl-1")
        assert found is not None
        store.close()


def test_what_comes_while_nothing_waits_is_kept_as_well() -> None:
    """The thread goes to sleep in between, and is woken again."""
    store = TraceMemory()
    for number in range(50):
        was_made = threading.Event()
        store.add("", partial(_made, f"chatcmpl-{number:02}", was_made), 1)
        assert was_made.wait(30)
    store.close()
    assert len(store.ids()) == 50


def _made(name: str, was_made: threading.Event) -> dict[str, Any]:
    was_made.set()
    return document(name)


def test_a_short_write_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take less than it is given."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:100]))
    stored(tmp_path, document("chatcmpl-1", "a" * 1000))
    assert "a" * 1000 in json.loads((tmp_path / "chatcmpl-1.json").read_text())["request"]["messages"][0]["content"]


def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trace is there whole or not at all, also under its unfinished name."""

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = TraceFolder(tmp_path)
    store.open()
    monkeypatch.setattr(os, "write", fail)
    add(store, document("chatcmpl-1"))
    store.close()
    assert list(tmp_path.iterdir()) == []
    assert store.ids() == []
    assert "No space left" in capsys.readouterr().out


def test_what_waits_is_bounded_by_its_size_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A few huge traces are as bad as many; a single one always may wait."""
    gate = held_up(monkeypatch)
    store = TraceFolder(tmp_path)
    store.open()
    add(store, document("chatcmpl-1"), n_bytes=2 * trace_store.MAX_PENDING_BYTES)
    add(store, document("chatcmpl-2"), n_bytes=1)
    assert "trace dropped" in capsys.readouterr().out
    gate.set()
    store.close()
    assert store.ids() == ["chatcmpl-1"]


def test_a_document_is_made_in_the_store_s_thread() -> None:
    """The event loop hands over what it takes to make it."""
    store, threads = TraceMemory(), []

    def make() -> dict[str, Any]:
        threads.append(threading.current_thread())
        return document("chatcmpl-1")

    store.add("chatcmpl-1", make, 1)
    store.close()
    assert threads[0] is not threading.current_thread()


def test_the_newest_come_first(tmp_path: Path) -> None:
    """By their ids, which sort by the time of their start, also where a long one ends after a later one."""
    documents = [document(f"chatcmpl-{name}", f"say {name}") for name in "132"]
    for store in (stored(tmp_path, *documents), remembered(*documents)):
        assert store.ids() == ["chatcmpl-3", "chatcmpl-2", "chatcmpl-1"]
        assert [line.about for line in store.summaries()] == ["say 3", "say 2", "say 1"]
        assert readable(store) == store.ids()
        assert store.version == 3


def test_what_an_earlier_process_left_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    """What cannot be read, or is none of ours, is left out, and left alone; what lacks a key is there."""
    stored(tmp_path, document("chatcmpl-1"))
    (tmp_path / "chatcmpl-2.json").write_text('{"id": "chatcmpl-2", "outcome": "ok"}')
    (tmp_path / "chatcmpl-3.json").write_text("{")
    (tmp_path / "chatcmpl-4.json").write_text("[]")
    (tmp_path / "chatcmpl-x y.json").write_text("{}")
    store = TraceFolder(tmp_path)
    store.open()
    assert store.ids() == ["chatcmpl-4", "chatcmpl-3", "chatcmpl-2", "chatcmpl-1"]
    assert [line.id for line in store.summaries()] == ["chatcmpl-2", "chatcmpl-1"]
    assert readable(store) == ["chatcmpl-2", "chatcmpl-1"]
    store.close()
    assert (tmp_path / "chatcmpl-3.json").exists()


def test_only_known_ids_are_looked_for(tmp_path: Path) -> None:
    """An id from outside is no path; one whose file is gone meanwhile is unknown."""
    (tmp_path / "chatcmpl-9.json").write_text('{"id": "secret"}')
    store = stored(tmp_path / "t", document("chatcmpl-1"))
    assert store.document("../chatcmpl-9") is None
    assert store.document("chatcmpl-9") is None
    assert store.document("chatcmpl-1") is not None
    (tmp_path / "t" / "chatcmpl-1.json").unlink()
    assert store.document("chatcmpl-1") is None


def test_memory_is_bounded_by_count_and_by_size() -> None:
    """The oldest go first, and nothing of them stays."""
    documents = [document(f"chatcmpl-{number}", f"{number}" * 1000) for number in range(5)]
    assert remembered(*documents, keep=2).ids() == ["chatcmpl-4", "chatcmpl-3"]
    packed = remembered(*documents, max_bytes=700)
    assert 0 < len(packed.ids()) < 5
    assert packed.ids()[0] == "chatcmpl-4"
    assert packed.document("chatcmpl-0") is None


def test_no_key_is_held(tmp_path: Path) -> None:
    """Neither in the traces nor in the list; nor one that JSON writes with escapes, or JSON within JSON."""
    secrets = ["sk-0123456789", 'quo"ted\\secret']
    cleaned = 'my keys: [redacted], [redacted], "[redacted]"'
    told = document("chatcmpl-1", f"my keys: {secrets[0]}, {secrets[1]}, {json.dumps(secrets[1])}")
    for store in (stored(tmp_path, told, secrets=secrets), remembered(told, secrets=secrets)):
        (line,), trace = store.summaries(), store.document("chatcmpl-1")
        assert trace is not None
        assert line.about == cleaned
        assert trace["request"]["messages"][0]["content"] == cleaned
    assert cleaned in (tmp_path / "chatcmpl-1.md").read_text()


def test_a_tag_stays_as_long_as_nothing_comes() -> None:
    """And is no other store's."""
    store = TraceMemory()
    before = store.tag
    assert store.tag == before != TraceMemory().tag
    add(store, document("chatcmpl-1"))
    store.close()
    assert store.tag != before
