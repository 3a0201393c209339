"""The hand-over of traces from the event loop to the store's thread, for both kinds of store."""

import json
import math
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from handlers.traces import folder_store, schema
from handlers.traces import store as trace_store
from handlers.traces.as_markdown import to_markdown
from handlers.traces.memory_store import TraceMemory
from handlers.traces.schema import Trace
from tests.handlers.traces.samples import add, fill_folder, fill_memory, opened, readable_ids, sample


def hold_writes(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let no trace be written to a folder before the event is set."""
    gate = threading.Event()
    monkeypatch.setattr(folder_store, "to_markdown", lambda trace: (gate.wait(30), to_markdown(trace))[1])
    return gate


def test_traces_beyond_the_count_limit_are_dropped_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Memory stays bounded if the disk is slow."""
    gate = hold_writes(monkeypatch)
    store = opened(tmp_path)
    for number in range(trace_store.MAX_PENDING + 1):
        add(store, sample(f"chatcmpl-{number:03}"))
    assert "trace dropped" in capsys.readouterr().out
    gate.set()
    store.close()
    assert len(list(tmp_path.glob("*.json"))) == trace_store.MAX_PENDING


def test_traces_beyond_the_memory_limit_are_dropped_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A few huge traces are as bad as many; a single one is always taken."""
    gate = hold_writes(monkeypatch)
    store = opened(tmp_path)
    add(store, sample("chatcmpl-1"), n_bytes=2 * trace_store.MAX_PENDING_BYTES)
    add(store, sample("chatcmpl-2"), n_bytes=1)
    assert "trace dropped" in capsys.readouterr().out
    gate.set()
    store.close()
    assert store.ids() == ["chatcmpl-1"]


def test_a_trace_that_fails_costs_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    """Each queued trace is kept or logged by itself, in order."""
    store, gate = TraceMemory(), threading.Event()
    store.add("chatcmpl-1", lambda: (gate.wait(30), sample("chatcmpl-1"))[1], 1)
    store.add("chatcmpl-2", lambda: sample("chatcmpl-2", error={"odd": object()}), 1)
    add(store, sample("chatcmpl-3"))
    gate.set()
    store.close()
    assert store.ids() == ["chatcmpl-3", "chatcmpl-1"]
    assert "could not be kept" in capsys.readouterr().out


def test_a_trace_can_be_read_as_soon_as_it_was_added(tmp_path: Path) -> None:
    """A reader waits for the thread, which gathers traces before it writes."""
    for store in (opened(tmp_path), TraceMemory()):
        add(store, sample("chatcmpl-1"))
        assert store.load("chatcmpl-1") == sample("chatcmpl-1")
        store.close()


def test_the_thread_is_woken_after_each_sleep() -> None:
    """Traces that come one by one, each after the last was written, are all kept."""
    store = TraceMemory()
    for number in range(50):
        was_built = threading.Event()
        store.add("", partial(_signal, f"chatcmpl-{number:02}", was_built), 1)
        assert was_built.wait(30)
    store.close()
    assert len(store.ids()) == 50


def _signal(name: str, was_built: threading.Event) -> Trace:
    was_built.set()
    return sample(name)


def test_a_trace_is_built_in_the_store_s_thread() -> None:
    """The event loop hands over the work."""
    store, threads = TraceMemory(), []

    def build() -> Trace:
        threads.append(threading.current_thread())
        return sample("chatcmpl-1")

    store.add("chatcmpl-1", build, 1)
    store.close()
    assert threads[0] is not threading.current_thread()


def test_the_newest_come_first(tmp_path: Path) -> None:
    """By their ids, which sort by the time of their start, even if a long request ends after a later one."""
    traces = [sample(f"chatcmpl-{name}", f"say {name}") for name in "132"]
    for store in (fill_folder(tmp_path, *traces), fill_memory(*traces)):
        assert store.ids() == ["chatcmpl-3", "chatcmpl-2", "chatcmpl-1"]
        assert [row.preview for row in store.summaries()] == ["say 3", "say 2", "say 1"]
        assert readable_ids(store) == store.ids()
        assert store.version == 3


@pytest.mark.parametrize("odd", [math.inf, 10**30, "\ud83d", {"a": ["\udc00", -math.inf]}])
def test_values_that_are_not_strict_json_are_kept_unchanged(tmp_path: Path, odd: Any) -> None:
    """On disk and in memory."""
    trace = sample("chatcmpl-1", calls=[schema.Call(attempts=[schema.Attempt(usage=odd)])])
    for store in (fill_folder(tmp_path, trace), fill_memory(trace)):
        found = store.load("chatcmpl-1")
        assert found is not None
        assert found.calls[0].attempts[0].usage == odd


def test_secrets_are_replaced_in_every_text(tmp_path: Path) -> None:
    """In traces and list, also as JSON escapes them, and as JSON within JSON; words too short to be secrets stay."""
    secrets = ["sk-0123456789", 'quo"ted\\secret', "key"]
    cleaned = 'my keys: [redacted], [redacted], "[redacted]"'
    trace = sample("chatcmpl-1", f"my keys: {secrets[0]}, {secrets[1]}, {json.dumps(secrets[1])}")
    for store in (fill_folder(tmp_path, trace, secrets=secrets), fill_memory(trace, secrets=secrets)):
        (row,), found = store.summaries(), store.load("chatcmpl-1")
        assert found is not None
        assert row.preview == cleaned
        assert found.request.messages[0]["content"] == cleaned
    assert cleaned in (tmp_path / "chatcmpl-1.md").read_text()


def test_secrets_are_replaced_beside_values_that_are_not_strict_json(tmp_path: Path) -> None:
    """Those take another way through the encoder."""
    trace = sample("chatcmpl-1", "\ud83d sk-0123456789 kläger-schlüssel", calls=[schema.Call(cost=math.inf)])
    fill_folder(tmp_path, trace, secrets=["sk-0123456789", "kläger-schlüssel"])
    text = "".join(path.read_text() for path in tmp_path.iterdir())
    assert text.count("[redacted] [redacted]") == 2
    assert "sk-0123456789" not in text
    assert "schlüssel" not in text
