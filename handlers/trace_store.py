"""Where traces are kept: written by one thread, off the event loop; read in any other."""

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from secrets import token_hex
from typing import Any

import structlog

from handlers.trace import REDACTED, foreign
from handlers.trace_json import encoded
from handlers.trace_reading import Document, Summary, parsed
from upstream.codec import decode

_log = structlog.get_logger(__name__)

MAX_PENDING = 256
MAX_PENDING_BYTES = 64 * 2**20
_GATHERING_S = 0.02  # to wake the thread costs about a third of what a trace does
MIN_SECRET_CHARS = 8  # a shorter one would take innocent text out as well

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
        self._waiting: SimpleQueue[tuple[Make, int] | None] = SimpleQueue()
        self._room = _Room()
        self._writer: threading.Thread | None = None
        self._first_tag = token_hex(4)  # so that no other process's tag is taken for ours
        self.version = 0
        """Grows with every trace that comes or goes."""

    @property
    def tag(self) -> str:
        """What is kept, as an entity tag (RFC 9110, section 8.8.3): the same as long as nothing comes or goes."""
        return f'"{self._first_tag}-{self.version}"'

    def hide(self, secrets: Sequence[str]) -> None:
        """Take these out of every text that is kept from now on, as well."""
        forms = [form for secret in secrets if len(secret) >= MIN_SECRET_CHARS for form in _forms(secret)]
        self._secrets = tuple(dict.fromkeys((*self._secrets, *forms)))

    def add(self, name: str, make: Make, n_bytes: int) -> None:
        """Have a trace kept soon. Never blocks, never raises.

        `make` gives its document, in the store's thread: what it reads must not change any more. `n_bytes` is roughly
        what it holds on to until then.
        """
        if not self._room.take(n_bytes):
            _log.warning("trace dropped: the disk is too slow", trace=name)
            return
        if self._writer is None:
            self._writer = threading.Thread(target=self._write_waiting, name="traces", daemon=True)
            self._writer.start()
        self._waiting.put((make, n_bytes))

    def close(self) -> None:
        """Wait until every trace is kept. Blocks: call it in a thread."""
        if self._writer is not None:
            self._waiting.put(None)
            self._writer.join()
            self._writer = None

    def document(self, trace_id: str) -> Document | None:
        """Return a trace; None for one that is not known, not any more, or cannot be read."""
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
        while (waiting := self._next()) is not None:
            make, n_bytes = waiting
            try:
                self._write(make)
            except Exception as error:  # noqa: BLE001 -- whatever one trace fails of, the next may be kept
                _log.error("a trace could not be kept", cause=str(error))
            finally:
                self._room.give_back(n_bytes)

    def _next(self) -> tuple[Make, int] | None:
        """Return what waits longest; None at the end. Where nothing does, more may gather behind the next."""
        try:
            return self._waiting.get_nowait()
        except Empty:
            first = self._waiting.get()
            time.sleep(_GATHERING_S)
            return first

    def _write(self, make: Make) -> None:
        document = make()
        data = encoded(document, foreign(document))
        cleaned = data
        for secret in self._secrets:
            cleaned = cleaned.replace(secret, REDACTED.encode())
        self._put(document if cleaned == data else decode(cleaned), cleaned)
        self.version += 1


def _forms(secret: str) -> Iterator[bytes]:
    """Yield a secret as it stands in JSON, and as it stands there within a text that is JSON itself."""
    for _ in range(2):
        secret = json.dumps(secret, ensure_ascii=False)[1:-1]
        yield secret.encode(errors="backslashreplace")


class _Room:
    """How much may wait for the thread; one trace alone always may."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_traces = 0
        self._n_bytes = 0

    def take(self, n_bytes: int) -> bool:
        """Take the room of one trace, if there is any, and return whether there was."""
        with self._lock:
            too_much = self._n_traces >= MAX_PENDING or self._n_bytes + n_bytes > MAX_PENDING_BYTES
            if self._n_traces and too_much:
                return False
            self._n_traces += 1
            self._n_bytes += n_bytes
            return True

    def give_back(self, n_bytes: int) -> None:
        """Give back the room of one that is written."""
        with self._lock:
            self._n_traces -= 1
            self._n_bytes -= n_bytes
