"""Traces in memory alone: for the trace pages of a gateway that writes none to disk."""

import threading
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from handlers.traces.reading import Summary, summary
from handlers.traces.store import TraceStore

MAX_BYTES = 32 * 2**20


class TraceMemory(TraceStore):
    """The newest traces, packed: at most `keep` of them, and at most `max_bytes` together."""

    def __init__(self, *, keep: int = 1000, max_bytes: int = MAX_BYTES, secrets: Sequence[str] = ()) -> None:
        super().__init__(keep=keep, secrets=secrets)
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._kept: OrderedDict[str, tuple[Summary, bytes]] = OrderedDict()
        self._changing = threading.Lock()

    def ids(self) -> list[str]:
        """Return the ids of all traces, the newest first: they sort by time."""
        with self._changing:
            return sorted(self._kept, reverse=True)

    def summaries(self) -> list[Summary]:
        """Return a line for each trace, the newest first."""
        with self._changing:
            lines = [line for line, _ in self._kept.values()]
        return sorted(lines, key=lambda line: line.id, reverse=True)

    def _text(self, trace_id: str) -> str | None:
        with self._changing:
            found = self._kept.get(trace_id)
        return None if found is None else zlib.decompress(found[1]).decode()

    def _put(self, document: Mapping[str, Any], data: bytes) -> None:
        packed = zlib.compress(data, level=1)
        line = summary(document)
        with self._changing:
            self._kept[document["id"]] = line, packed
            self._n_bytes += len(packed)
            while len(self._kept) > self._keep or self._n_bytes > self._max_bytes:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._n_bytes -= len(dropped)
