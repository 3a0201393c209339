"""Traces on disk: written whole or not at all, off the event loop, the oldest deleted past a bound."""

import json
import os
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog

from handlers.trace import REDACTED
from handlers.trace_markdown import markdown

_log = structlog.get_logger(__name__)

MAX_PENDING = 256
MIN_SECRET_CHARS = 8  # a shorter one would take innocent text out as well


class TraceStore:
    """A folder of traces, each a JSON file and its Markdown twin, both mode 0600 and named after the reply's id.

    One thread writes, in order; at most MAX_PENDING traces wait for it, and one that finds no room is dropped with a
    warning. `secrets` are taken out of every text. Call `open()` first, in a thread; `close()` waits for the rest.
    """

    def __init__(self, folder: Path, *, keep: int = 1000, secrets: Sequence[str] = ()) -> None:
        self.folder = folder
        self._keep = keep
        self._secrets: tuple[str, ...] = ()
        self.hide(secrets)
        self._names: deque[str] = deque()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="traces")
        self._room = threading.BoundedSemaphore(MAX_PENDING)

    def open(self) -> None:
        """Make the folder, try it, drop what a killed process left unfinished; OSError where that can't be done."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = self.folder / ".chatcmpl-probe.part"
        probe.touch(mode=0o600)
        probe.unlink()
        for unfinished in self.folder.glob(".chatcmpl-*.part"):
            unfinished.unlink(missing_ok=True)
        self._names.extend(sorted(path.stem for path in self.folder.glob("chatcmpl-*.json")))
        self._delete_oldest()

    def hide(self, secrets: Sequence[str]) -> None:
        """Take these out of every text that is written from now on, as well."""
        long_enough = (secret for secret in secrets if len(secret) >= MIN_SECRET_CHARS)
        self._secrets = tuple(dict.fromkeys((*self._secrets, *long_enough)))

    def add(self, document: Mapping[str, Any]) -> None:
        """Have a trace written soon. Never blocks, never raises."""
        if not self._room.acquire(blocking=False):
            _log.warning("trace dropped: the disk is too slow", trace=document["id"])
            return
        self._writer.submit(self._write, document).add_done_callback(self._written)

    def close(self) -> None:
        """Wait until every trace is on disk. Blocks: call it in a thread."""
        self._writer.shutdown(wait=True)

    def _written(self, done: "Future[None]") -> None:
        self._room.release()
        error = done.exception()
        if error is not None:
            _log.error("a trace could not be written", folder=str(self.folder), cause=str(error))

    def _write(self, document: Mapping[str, Any]) -> None:
        name = document["id"]
        self._put(f"{name}.md", markdown(document))
        self._put(f"{name}.json", json.dumps(document, indent=2, ensure_ascii=False))
        self._names.append(name)
        self._delete_oldest()

    def _put(self, name: str, text: str) -> None:
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        unfinished = self.folder / f".{name}.part"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            unfinished.replace(self.folder / name)
        finally:
            unfinished.unlink(missing_ok=True)

    def _delete_oldest(self) -> None:
        while len(self._names) > self._keep:
            name = self._names.popleft()
            for suffix in (".json", ".md"):
                (self.folder / f"{name}{suffix}").unlink(missing_ok=True)
