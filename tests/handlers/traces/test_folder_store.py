"""Traces as files in a folder."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from handlers.traces.folder_store import TraceFolder
from tests.handlers.traces.samples import add, fill_folder, opened, readable_ids, sample


def test_a_trace_is_two_files_that_only_the_owner_can_read(tmp_path: Path) -> None:
    """JSON and Markdown, mode 0600, named after the reply."""
    fill_folder(tmp_path / "t", sample("chatcmpl-1"))
    names = sorted(path.name for path in (tmp_path / "t").iterdir())
    assert names == ["chatcmpl-1.json", "chatcmpl-1.md"]
    assert json.loads((tmp_path / "t" / "chatcmpl-1.json").read_text())["outcome"] == "ok"
    for path in (tmp_path / "t").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_oldest_traces_are_deleted_beyond_the_bound(tmp_path: Path) -> None:
    """Files of an earlier process count too."""
    fill_folder(tmp_path, *(sample(f"chatcmpl-{number}") for number in range(3)))
    fill_folder(tmp_path, *(sample(f"chatcmpl-{number}") for number in range(3, 6)), keep=2)
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["chatcmpl-4.json", "chatcmpl-5.json"]
    assert len(list(tmp_path.iterdir())) == 4


def test_unfinished_files_of_a_killed_process_are_deleted(tmp_path: Path) -> None:
    """They are hidden, and gone after the next start."""
    (tmp_path / ".chatcmpl-9.json.part").write_text("{")
    fill_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_created_fails_at_the_start(tmp_path: Path) -> None:
    """The first request would be too late."""
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        TraceFolder(tmp_path / "file" / "t").open()


def test_a_trace_that_cannot_be_written_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that vanished costs the trace, and the log says so."""
    store = opened(tmp_path / "t")
    (tmp_path / "t").rmdir()
    add(store, sample("chatcmpl-1"))
    store.close()
    assert "could not be kept" in capsys.readouterr().out


def test_a_lone_surrogate_is_escaped_in_markdown(tmp_path: Path) -> None:
    """So text that UTF-8 cannot encode is kept."""
    fill_folder(tmp_path, sample("chatcmpl-1", "\ud83d"))
    assert "\\ud83d" in (tmp_path / "chatcmpl-1.md").read_text()


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may write less than it was given."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:100]))
    fill_folder(tmp_path, sample("chatcmpl-1", "a" * 1000))
    assert "a" * 1000 in json.loads((tmp_path / "chatcmpl-1.json").read_text())["request"]["messages"][0]["content"]


def test_a_full_disk_leaves_no_partial_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trace is there complete or not at all, also under its unfinished name."""

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = opened(tmp_path)
    monkeypatch.setattr(os, "write", fail)
    add(store, sample("chatcmpl-1"))
    store.close()
    assert list(tmp_path.iterdir()) == []
    assert store.ids() == []
    assert "No space left" in capsys.readouterr().out


def test_files_of_an_earlier_process_are_listed(tmp_path: Path) -> None:
    """Unreadable and foreign files are skipped and stay; files that lack keys are listed."""
    fill_folder(tmp_path, sample("chatcmpl-1"))
    (tmp_path / "chatcmpl-2.json").write_text('{"id": "chatcmpl-2", "outcome": "ok"}')
    (tmp_path / "chatcmpl-3.json").write_text("{")
    (tmp_path / "chatcmpl-4.json").write_text("[]")
    (tmp_path / "chatcmpl-x y.json").write_text("{}")
    store = opened(tmp_path)
    assert store.ids() == ["chatcmpl-4", "chatcmpl-3", "chatcmpl-2", "chatcmpl-1"]
    assert [row.id for row in store.summaries()] == ["chatcmpl-2", "chatcmpl-1"]
    assert readable_ids(store) == ["chatcmpl-2", "chatcmpl-1"]
    store.close()
    assert (tmp_path / "chatcmpl-3.json").exists()


def test_only_known_ids_are_read(tmp_path: Path) -> None:
    """An id from outside is never used as a path; an id whose file was deleted is unknown."""
    (tmp_path / "chatcmpl-9.json").write_text('{"id": "secret"}')
    store = fill_folder(tmp_path / "t", sample("chatcmpl-1"))
    assert store.load("../chatcmpl-9") is None
    assert store.load("chatcmpl-9") is None
    assert store.load("chatcmpl-1") is not None
    (tmp_path / "t" / "chatcmpl-1.json").unlink()
    assert store.load("chatcmpl-1") is None
