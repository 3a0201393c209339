"""Traces in memory, compressed: for the trace pages of a gateway that writes none to disk."""

import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence

from handlers.traces.schema import Summary, Trace, summarize
from handlers.traces.store import TraceStore

MAX_BYTES = 32 * 2**20


class TraceMemory(TraceStore):
    """Keeps the newest traces, compressed: at most `keep` of them, and at most `max_bytes` together."""

    def __init__(self, *, keep: int = 1000, max_bytes: int = MAX_BYTES, secrets: Sequence[str] = ()) -> None:
        super().__init__(keep=keep, secrets=secrets)
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._kept: OrderedDict[str, tuple[Summary, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def ids(self) -> list[str]:
        """Return the ids of all traces, the newest first: ids sort by time."""
        with self._lock:
            return sorted(self._kept, reverse=True)

    def summaries(self) -> list[Summary]:
        """Return the list's row of each trace, the newest first."""
        with self._lock:
            rows = [row for row, _ in self._kept.values()]
        return sorted(rows, key=lambda row: row.id, reverse=True)

    def _read(self, trace_id: str) -> str | None:
        with self._lock:
            found = self._kept.get(trace_id)
        return None if found is None else zlib.decompress(found[1]).decode()

    def _put(self, trace: Trace, data: bytes) -> None:
        packed = zlib.compress(data, level=1)
        row = summarize(trace)
        with self._lock:
            self._kept[trace.id] = row, packed
            self._n_bytes += len(packed)
            while len(self._kept) > self._keep or self._n_bytes > self._max_bytes:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._n_bytes -= len(dropped)
