"""Where traces are kept: written by one thread, off the event loop; read in any other."""

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from secrets import token_hex
from typing import Any, Literal

import structlog

from handlers.traces.as_json import encoded
from handlers.traces.collector import foreign
from handlers.traces.reading import Document, Summary, parsed
from runtime.json_codec import decode
from upstream.redact import json_forms, redact_json

_log = structlog.get_logger(__name__)

MAX_PENDING = 256
MAX_PENDING_BYTES = 64 * 2**20
_GATHERING_S = 0.02  # to wake the thread costs about a third of what a trace does
_GATHERED_BYTES = 2**20  # what is larger is not worth waiting with
_CATCHING_UP_S = 1.0

Make = Callable[[], Mapping[str, Any]]


class TraceStore(ABC):
    """Keeps the newest traces.

    `add`, `hide` and `close` belong to the event loop's side: one thread makes, cleans and keeps the documents, in
    order. At most MAX_PENDING traces of MAX_PENDING_BYTES together wait for it, and one that finds no room is dropped
    with a warning. `secrets` are taken out of every text. The reading methods block: call them in a thread, any.
    """

    def __init__(self, *, keep: int = 1000, secrets: Sequence[str] = ()) -> None:
        self._keep = keep
        self._secrets: tuple[bytes, ...] = ()
        self.hide(secrets)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="traces")
        self._waiting = _Waiting()
        self._first_tag = token_hex(4)  # so that no other process's tag is taken for ours
        self.version = 0
        """Grows with every trace that comes or goes."""

    @property
    def tag(self) -> str:
        """What is kept, as an entity tag (RFC 9110, section 8.8.3): the same as long as nothing comes or goes."""
        return f'"{self._first_tag}-{self.version}"'

    def hide(self, secrets: Sequence[str]) -> None:
        """Take these out of every text that is kept from now on, as well."""
        self._secrets = tuple(dict.fromkeys((*self._secrets, *json_forms(secrets))))

    def add(self, name: str, make: Make, n_bytes: int) -> None:
        """Have a trace kept soon. Never blocks, never raises.

        `make` gives its document, in the store's thread: what it reads must not change any more. `n_bytes` is roughly
        what it holds on to until then.
        """
        came = self._waiting.put(make, n_bytes)
        if came == "not":
            _log.warning("trace dropped: the disk is too slow", trace=name)
        elif came == "first":
            self._writer.submit(self._write_waiting)

    def close(self) -> None:
        """Wait until every trace is kept. Blocks: call it in a thread."""
        self._writer.shutdown(wait=True)

    def document(self, trace_id: str) -> Document | None:
        """Return a trace; None for one that is not known, not any more, or cannot be read."""
        text = self._text(trace_id)
        if text is None and self._waiting.n_bytes:
            self._catch_up()
            text = self._text(trace_id)
        if text is None:
            return None
        try:
            return parsed(text)
        except ValueError as error:
            _log.warning("a trace cannot be read", trace=trace_id, cause=str(error))
            return None

    @abstractmethod
    def ids(self) -> list[str]:
        """Return the ids of all traces, the newest first."""

    @abstractmethod
    def summaries(self) -> list[Summary]:
        """Return a line for each trace that can be read, the newest first."""

    @abstractmethod
    def _put(self, document: Mapping[str, Any], data: bytes) -> None:
        """Keep a trace, and drop the oldest past the bound; in the store's thread.

        `data` is the document's JSON on one line; no secret is in either.
        """

    @abstractmethod
    def _text(self, trace_id: str) -> str | None:
        """Return a trace's JSON, None where there is none of this id."""

    def _write_waiting(self) -> None:
        if self._waiting.n_bytes < _GATHERED_BYTES:
            time.sleep(_GATHERING_S)
        while (first := self._waiting.first()) is not None:
            make, n_bytes = first
            try:
                self._write(make)
            except Exception as error:  # noqa: BLE001 -- whatever one trace fails of, the next may be kept
                _log.error("a trace could not be kept", cause=str(error))
            finally:
                self._waiting.done(n_bytes)

    def _catch_up(self) -> None:
        """Wait for the thread, if not for long: who has just had a reply may ask for its trace at once."""
        with suppress(TimeoutError, RuntimeError):  # RuntimeError: it is closed
            self._writer.submit(lambda: None).result(_CATCHING_UP_S)

    def _write(self, make: Make) -> None:
        document = make()
        data = encoded(document, foreign(document))
        cleaned = redact_json(data, self._secrets)
        self._put(document if cleaned == data else decode(cleaned), cleaned)
        self.version += 1


class _Waiting:
    """What waits for the thread, and how much that is; one trace alone always may."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._traces: deque[tuple[Make, int]] = deque()
        self._n_traces = 0
        self._is_awake = False
        self.n_bytes = 0

    def put(self, make: Make, n_bytes: int) -> Literal["not", "first", "behind"]:
        """Take a trace in if there is room; after `first` the thread has to be woken, which is dear, and only then."""
        with self._lock:
            too_much = self._n_traces >= MAX_PENDING or self.n_bytes + n_bytes > MAX_PENDING_BYTES
            if self._n_traces and too_much:
                return "not"
            self._traces.append((make, n_bytes))
            self._n_traces += 1
            self.n_bytes += n_bytes
            slept, self._is_awake = not self._is_awake, True
            return "first" if slept else "behind"

    def first(self) -> tuple[Make, int] | None:
        """Take out what waits longest; None sends the thread to sleep."""
        with self._lock:
            self._is_awake = bool(self._traces)
            return self._traces.popleft() if self._traces else None

    def done(self, n_bytes: int) -> None:
        """Give back the room of one that was taken out."""
        with self._lock:
            self._n_traces -= 1
            self.n_bytes -= n_bytes
