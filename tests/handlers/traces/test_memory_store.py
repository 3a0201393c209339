"""Traces in memory."""

from handlers.traces.memory_store import TraceMemory
from tests.handlers.traces.samples import add, fill_memory, sample


def test_memory_is_bounded_by_count_and_by_size() -> None:
    """The oldest traces are dropped first."""
    traces = [sample(f"chatcmpl-{number}", f"{number}" * 1000) for number in range(5)]
    assert fill_memory(*traces, keep=2).ids() == ["chatcmpl-4", "chatcmpl-3"]
    compressed = fill_memory(*traces, max_bytes=1500)
    assert 0 < len(compressed.ids()) < 5
    assert compressed.ids()[0] == "chatcmpl-4"
    assert compressed.load("chatcmpl-0") is None


def test_a_tag_changes_only_if_a_trace_comes() -> None:
    """Each store has tags of its own."""
    store = TraceMemory()
    before = store.tag
    assert store.tag == before != TraceMemory().tag
    add(store, sample("chatcmpl-1"))
    store.close()
    assert store.tag != before
