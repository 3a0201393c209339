"""Where traces are kept: written by one thread, off the event loop; read in any other."""

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from secrets import token_hex
from typing import Any

import structlog

from handlers.trace import REDACTED
from handlers.trace_reading import Document, Summary, parsed

_log = structlog.get_logger(__name__)

MAX_PENDING = 256
MAX_PENDING_BYTES = 64 * 2**20
MIN_SECRET_CHARS = 8  # a shorter one would take innocent text out as well


class TraceStore(ABC):
    """Keeps the newest traces.

    `add`, `hide` and `close` belong to the event loop's side: one thread makes, cleans and keeps the documents, in
    order. At most MAX_PENDING traces of MAX_PENDING_BYTES together wait for it, and one that finds no room is dropped
    with a warning. `secrets` are taken out of every text. The reading methods block: call them in a thread, any.
    """

    def __init__(self, *, keep: int = 1000, secrets: Sequence[str] = ()) -> None:
        self._keep = keep
        self._secrets: tuple[str, ...] = ()
        self.hide(secrets)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="traces")
        self._room = _Room()
        self._first_tag = token_hex(4)  # so that no other process's tag is taken for ours
        self.version = 0
        """Grows with every trace that comes or goes."""

    @property
    def tag(self) -> str:
        """What is kept, as an entity tag (RFC 9110, section 8.8.3): the same as long as nothing comes or goes."""
        return f'"{self._first_tag}-{self.version}"'

    def hide(self, secrets: Sequence[str]) -> None:
        """Take these out of every text that is kept from now on, as well."""
        long_enough = [secret for secret in secrets if len(secret) >= MIN_SECRET_CHARS]
        in_json = [json.dumps(secret, ensure_ascii=False)[1:-1] for secret in long_enough]
        self._secrets = tuple(dict.fromkeys((*self._secrets, *long_enough, *in_json)))

    def add(self, name: str, make: Callable[[], Mapping[str, Any]], n_bytes: int) -> None:
        """Have a trace kept soon. Never blocks, never raises.

        `make` gives its document, in the store's thread: what it reads must not change any more. `n_bytes` is roughly
        what it holds on to until then.
        """
        if not self._room.take(n_bytes):
            _log.warning("trace dropped: the disk is too slow", trace=name)
            return
        self._writer.submit(self._write, make).add_done_callback(lambda done: self._written(done, n_bytes))

    def close(self) -> None:
        """Wait until every trace is kept. Blocks: call it in a thread."""
        self._writer.shutdown(wait=True)

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

    def documents(self) -> Iterator[Document]:
        """Yield every trace that can be read, the newest first."""
        for trace_id in self.ids():
            document = self.document(trace_id)
            if document is not None:
                yield document

    @abstractmethod
    def ids(self) -> list[str]:
        """Return the ids of all traces, the newest first."""

    @abstractmethod
    def summaries(self) -> list[Summary]:
        """Return a line for each trace that can be read, the newest first."""

    @abstractmethod
    def _put(self, document: Mapping[str, Any]) -> None:
        """Keep a trace, and drop the oldest past the bound; in the store's thread."""

    @abstractmethod
    def _text(self, trace_id: str) -> str | None:
        """Return a trace's JSON, None where there is none of this id."""

    def _cleaned(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return text

    def _write(self, make: Callable[[], Mapping[str, Any]]) -> None:
        self._put(make())
        self.version += 1

    def _written(self, done: "Future[None]", n_bytes: int) -> None:
        self._room.give(n_bytes)
        error = done.exception()
        if error is not None:
            _log.error("a trace could not be kept", cause=str(error))


class _Room:
    """How much may wait for the thread; one trace alone always may."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_traces = 0
        self._n_bytes = 0

    def take(self, n_bytes: int) -> bool:
        with self._lock:
            too_much = self._n_traces >= MAX_PENDING or self._n_bytes + n_bytes > MAX_PENDING_BYTES
            if self._n_traces and too_much:
                return False
            self._n_traces += 1
            self._n_bytes += n_bytes
            return True

    def give(self, n_bytes: int) -> None:
        with self._lock:
            self._n_traces -= 1
            self._n_bytes -= n_bytes
