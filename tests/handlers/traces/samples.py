"""Traces to be kept, and stores that keep them."""

from functools import partial
from pathlib import Path
from typing import Any

from handlers.traces import schema
from handlers.traces.folder_store import TraceFolder
from handlers.traces.memory_store import TraceMemory
from handlers.traces.schema import Trace
from handlers.traces.store import TraceStore


def sample(name: str, text: str = "hi", **fields: Any) -> Trace:
    """Return the trace of an answered request whose user said `text`."""
    request = schema.Asked(messages=[{"role": "user", "content": text}])
    defaults: dict[str, Any] = {"time": "2026-01-01T00:00:00Z", "outcome": "ok", "status": 200, "mixture": "mom"}
    sums = {"timings": schema.Timings(total_s=1.0), "ledger": schema.Totals(currency="USD")}
    return Trace(name, request=request, **{**defaults, **sums, **fields})


def add(store: TraceStore, *traces: Trace, n_bytes: int = 100) -> None:
    """Hand traces to a store."""
    for each in traces:
        store.add(each.id, partial(_same, each), n_bytes)


def _same(trace: Trace) -> Trace:
    return trace


def opened(folder: Path, **options: Any) -> TraceFolder:
    """Return a store in a folder, ready for traces."""
    store = TraceFolder(folder, **options)
    store.open()
    return store


def fill_folder(folder: Path, *traces: Trace, **options: Any) -> TraceFolder:
    """Return a closed store in a folder that has kept these traces."""
    store = opened(folder, **options)
    add(store, *traces)
    store.close()
    return store


def fill_memory(*traces: Trace, n_bytes: int = 100, **options: Any) -> TraceMemory:
    """Return a closed store in memory that has kept these traces."""
    store = TraceMemory(**options)
    add(store, *traces, n_bytes=n_bytes)
    store.close()
    return store


def readable_ids(store: TraceStore) -> list[str]:
    """Return the ids of the traces that can be read."""
    return [found.id for trace_id in store.ids() if (found := store.load(trace_id)) is not None]
