"""The store of traces: handed over by the event loop, written by one thread, read in any other.

The hand-over. Building a trace, encoding it, replacing secrets and writing two files is too much work for the event
loop. So the loop only appends a callable to a queue (`_Queue`), and one thread does the rest, in order.

- Waking a thread costs about a third of what a trace does, because both then compete for the interpreter's lock. So the
  loop wakes it only if it sleeps (`put` returns `first`), and the thread, once awake, pauses for _GATHER_S before it
  looks: a burst of requests wakes it once. A large trace is not worth a pause.
- Going to sleep is decided under the queue's lock, in the same step that finds it empty (`take`). A trace that is put
  in a moment later finds a sleeping thread and wakes it: no trace is left behind.
- The queue is bounded by count and by memory. A trace without room is dropped with a warning; a request never waits for
  the disk. A single trace is always taken, however large: otherwise the largest could never be kept.
- A trace counts until it is written, not until it is taken out: the thread's current trace holds memory too.

The first version submitted each trace to the executor, and so woke the thread for each request.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from secrets import token_hex
from typing import Literal

import structlog

from handlers.traces.as_json import decode_trace, encode_trace
from handlers.traces.running import RunningRequests
from handlers.traces.schema import Summary, Trace
from handlers.traces.shortening import MAX_CHARS, shorten
from upstream.redact import json_forms, redact, redact_json

_log = structlog.get_logger(__name__)

MAX_PENDING = 256
MAX_PENDING_BYTES = 64 * 2**20
_GATHER_S = 0.02
_GATHERED_BYTES = 2**20  # with so much in the queue, the thread starts at once
_CATCH_UP_S = 1.0

Build = Callable[[], Trace]


class TraceStore(ABC):
    """Keeps the newest traces.

    `add`, `hide` and `close` belong to the event loop. One thread builds, cleans and keeps the traces, in order. At
    most MAX_PENDING traces of MAX_PENDING_BYTES together wait for it; one that finds no room is dropped with a warning.
    `secrets` are replaced in every text. The reading methods block: call them in a thread, any thread. `running` has
    the requests whose traces are still being collected; it belongs to the event loop.
    """

    def __init__(self, *, keep: int = 1000, secrets: Sequence[str] = ()) -> None:
        self._keep = keep
        self._secrets: tuple[str, ...] = ()
        self._json_secrets: tuple[bytes, ...] = ()
        self.hide(secrets)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="traces")
        self._queue = _Queue()
        self.running = RunningRequests()
        self._process_tag = token_hex(4)  # a browser may hold the tag of an earlier process
        self.version = 0
        """Grows with every trace that comes or goes."""

    @property
    def tag(self) -> str:
        """An entity tag of all that is kept (RFC 9110, section 8.8.3): it changes if a trace comes or goes."""
        return f'"{self._process_tag}-{self.version}"'

    def hide(self, secrets: Sequence[str]) -> None:
        """Replace these too, in every trace that is kept from now on."""
        self._secrets = tuple(dict.fromkeys((*self._secrets, *secrets)))
        self._json_secrets = json_forms(self._secrets)

    def redact(self, text: str) -> str:
        """Return a text without the secrets."""
        return redact(text, self._secrets)

    def add(self, trace_id: str, build: Build, n_bytes: int) -> None:
        """Keep a trace soon. Never blocks, never raises.

        `build` returns it, called in the store's thread: the objects that it reads must not change any more. `n_bytes`
        is roughly the memory that it holds until then.
        """
        position = self._queue.put(build, n_bytes)
        if position == "rejected":
            _log.warning("trace dropped: the disk is too slow", trace=trace_id)
        elif position == "first":
            self._writer.submit(self._write_queued)

    def close(self) -> None:
        """Wait until every trace is kept. Blocks: call it in a thread."""
        self._writer.shutdown(wait=True)

    def read(self, trace_id: str) -> str | None:
        """Return the JSON of a trace, or None if it is unknown or no longer kept."""
        text = self._read(trace_id)
        if text is None and self._queue.n_bytes:
            self._catch_up()
            text = self._read(trace_id)
        return text

    def load(self, trace_id: str) -> Trace | None:
        """Return a trace, or None if it is unknown, no longer kept, or unreadable."""
        text = self.read(trace_id)
        if text is None:
            return None
        try:
            return decode_trace(text)
        except ValueError as error:
            _log.warning("a trace cannot be read", trace=trace_id, cause=str(error))
            return None

    @abstractmethod
    def ids(self) -> list[str]:
        """Return the ids of all traces, the newest first."""

    @abstractmethod
    def summaries(self) -> list[Summary]:
        """Return the list's row of each trace that can be read, the newest first."""

    @abstractmethod
    def _put(self, trace: Trace, data: bytes) -> None:
        """Keep a trace, and drop the oldest beyond the bound. Called in the store's thread.

        `data` is the trace as JSON on one line; neither holds a secret.
        """

    @abstractmethod
    def _read(self, trace_id: str) -> str | None:
        """Return a trace's JSON, or None if there is no such trace."""

    def _write_queued(self) -> None:
        if self._queue.n_bytes < _GATHERED_BYTES:
            time.sleep(_GATHER_S)
        while (entry := self._queue.take()) is not None:
            build, n_bytes = entry
            try:
                self._write(build, n_bytes)
            except Exception as error:  # noqa: BLE001 -- a trace that cannot be kept must not cost the next one
                _log.error("a trace could not be kept", cause=str(error))
            finally:
                self._queue.release(n_bytes)

    def _catch_up(self) -> None:
        """Wait for the thread, though not for long: a client may open a trace right after its reply."""
        with suppress(TimeoutError, RuntimeError):  # RuntimeError: the store is closed
            self._writer.submit(lambda: None).result(_CATCH_UP_S)

    def _write(self, build: Build, n_bytes: int) -> None:
        trace = build()
        if n_bytes > MAX_CHARS:
            trace = shorten(trace, self._secrets)
        data = encode_trace(trace)
        # `n_bytes` leaves out reasoning and tool calls. A trace that is cut already is large by its wide characters.
        if len(data) > 2 * MAX_CHARS and not trace.cut_chars:
            trace = shorten(trace, self._secrets)
            data = encode_trace(trace)
        cleaned = redact_json(data, self._json_secrets)
        self._put(trace if cleaned == data else decode_trace(cleaned), cleaned)
        self.version += 1


class _Queue:
    """Traces that wait for the thread, bounded by count and memory; see the module's docstring."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[tuple[Build, int]] = deque()
        self._n_pending = 0
        self._is_awake = False
        self.n_bytes = 0

    def put(self, build: Build, n_bytes: int) -> Literal["rejected", "first", "behind"]:
        """Append a trace if there is room; after `first` the caller has to wake the thread, and only then."""
        with self._lock:
            is_full = self._n_pending >= MAX_PENDING or self.n_bytes + n_bytes > MAX_PENDING_BYTES
            if self._n_pending and is_full:
                return "rejected"
            self._entries.append((build, n_bytes))
            self._n_pending += 1
            self.n_bytes += n_bytes
            was_asleep, self._is_awake = not self._is_awake, True
            return "first" if was_asleep else "behind"

    def take(self) -> tuple[Build, int] | None:
        """Remove the oldest entry; after None the thread has to sleep."""
        with self._lock:
            self._is_awake = bool(self._entries)
            return self._entries.popleft() if self._entries else None

    def release(self, n_bytes: int) -> None:
        """Free the room of an entry that was taken and is written."""
        with self._lock:
            self._n_pending -= 1
            self.n_bytes -= n_bytes
