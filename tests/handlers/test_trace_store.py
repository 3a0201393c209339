"""Traces on disk."""

import json
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from handlers import trace_store
from handlers.trace_markdown import markdown
from handlers.trace_store import TraceStore


def document(name: str, text: str = "hi") -> dict[str, Any]:
    return {
        "id": name,
        "time": "2026-01-01T00:00:00Z",
        "outcome": "ok",
        "status": 200,
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


def stored(folder: Path, *documents: dict[str, Any], **options: Any) -> TraceStore:
    store = TraceStore(folder, **options)
    store.open()
    for each in documents:
        store.add(each)
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
        TraceStore(tmp_path / "file" / "t").open()


def test_a_trace_that_cannot_be_written_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A full or vanished disk costs the trace, and the log says so."""
    store = TraceStore(tmp_path / "t")
    store.open()
    (tmp_path / "t").rmdir()
    store.add(document("chatcmpl-1"))
    store.close()
    assert "could not be written" in capsys.readouterr().out


def test_more_than_can_wait_is_dropped_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Memory stays bounded where the disk is slow."""
    gate = threading.Event()
    monkeypatch.setattr(trace_store, "markdown", lambda trace: (gate.wait(30), markdown(trace))[1])
    store = TraceStore(tmp_path)
    store.open()
    for number in range(trace_store.MAX_PENDING + 1):
        store.add(document(f"chatcmpl-{number:03}"))
    assert "trace dropped" in capsys.readouterr().out
    gate.set()
    store.close()
    assert len(list(tmp_path.glob("*.json"))) == trace_store.MAX_PENDING


def test_a_lone_surrogate_can_be_written(tmp_path: Path) -> None:
    """Odd text is escaped, not lost."""
    stored(tmp_path, document("chatcmpl-1", "\ud83d"))
    assert "\\ud83d" in (tmp_path / "chatcmpl-1.md").read_text()
