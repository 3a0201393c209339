"""Traces as files in a folder: each written atomically, the oldest deleted beyond a bound."""

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from handlers.traces.as_json import indent
from handlers.traces.as_markdown import to_markdown
from handlers.traces.schema import Summary, Trace, summarize
from handlers.traces.store import TraceStore

_FILE_STEM = re.compile(r"chatcmpl-[0-9A-Za-z]{1,64}")  # no separators, no dots: a name cannot lead to another folder


class TraceFolder(TraceStore):
    """A folder of traces, each a JSON file and its Markdown twin, both mode 0600 and named after the reply's id.

    Call `open()` first, in a thread. The rows of the list stay in memory. The files of an earlier process are read when
    the list is first asked for.
    """

    def __init__(self, folder: Path, *, keep: int = 1000, secrets: Sequence[str] = ()) -> None:
        super().__init__(keep=keep, secrets=secrets)
        self.folder = folder
        self._path = str(folder)
        self._rows: OrderedDict[str, Summary | None] = OrderedDict()
        self._unreadable: set[str] = set()
        self._lock = threading.Lock()
        self._reading = threading.Lock()

    def open(self) -> None:
        """Create the folder, check that it is writable, delete unfinished files. Raises OSError if that fails."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = self.folder / ".chatcmpl-probe.part"
        probe.touch(mode=0o600)
        probe.unlink()
        for unfinished in self.folder.glob(".chatcmpl-*.part"):
            unfinished.unlink(missing_ok=True)
        found = sorted(path.stem for path in self.folder.glob("chatcmpl-*.json"))
        self._rows.update((name, None) for name in found if _FILE_STEM.fullmatch(name))
        self._delete_oldest()

    def ids(self) -> list[str]:
        """Return the ids of all traces, the newest first: ids sort by time."""
        with self._lock:
            return sorted(self._rows, reverse=True)

    def summaries(self) -> list[Summary]:
        """Return the list's row of each trace that can be read, the newest first."""
        with self._reading:  # one thread reads the files, the others wait for it
            for name in self._unread():
                trace = self.load(name)
                with self._lock:
                    if trace is None:
                        self._unreadable.add(name)
                    elif name in self._rows:
                        self._rows[name] = summarize(trace)
        with self._lock:
            rows = [row for row in self._rows.values() if row is not None]
        return sorted(rows, key=lambda row: row.id, reverse=True)

    def _unread(self) -> list[str]:
        with self._lock:
            return [name for name, row in self._rows.items() if row is None and name not in self._unreadable]

    def _read(self, trace_id: str) -> str | None:
        with self._lock:
            if trace_id not in self._rows:
                return None
        try:
            return (self.folder / f"{trace_id}.json").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:  # deleted in the meantime, by this store or by hand
            return None

    def _put(self, trace: Trace, data: bytes) -> None:
        name = trace.id
        self._put_file(f"{name}.md", to_markdown(trace).encode(errors="backslashreplace"))
        self._put_file(f"{name}.json", indent(data))
        with self._lock:
            self._rows[name] = summarize(trace)
        self._delete_oldest()

    def _put_file(self, name: str, data: bytes) -> None:
        unfinished = f"{self._path}/.{name}.part"
        try:
            _write(unfinished, data)
            os.replace(unfinished, f"{self._path}/{name}")  # noqa: PTH105 -- a Path costs more than the call
        except BaseException:
            _delete(unfinished)
            raise

    def _delete_oldest(self) -> None:
        while len(self._rows) > self._keep:
            with self._lock:
                name, _ = self._rows.popitem(last=False)
                self._unreadable.discard(name)
            for suffix in (".json", ".md"):
                _delete(f"{self._path}/{name}{suffix}")


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


def _delete(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 -- a Path costs more than the call
