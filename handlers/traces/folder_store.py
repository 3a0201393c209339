"""Traces on disk: each written whole or not at all, the oldest deleted past a bound."""

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from handlers.traces.as_json import indented
from handlers.traces.as_markdown import markdown
from handlers.traces.reading import Summary, summary
from handlers.traces.store import TraceStore

_NAME = re.compile(r"chatcmpl-[0-9A-Za-z]{1,64}")  # what a trace's file may be called: nothing that leads elsewhere


class TraceFolder(TraceStore):
    """A folder of traces, each a JSON file and its Markdown twin, both mode 0600 and named after the reply's id.

    Call `open()` first, in a thread. The lines of the list stay in memory; those of files that an earlier process left
    are read when they are asked for first.
    """

    def __init__(self, folder: Path, *, keep: int = 1000, secrets: Sequence[str] = ()) -> None:
        super().__init__(keep=keep, secrets=secrets)
        self.folder = folder
        self._path = str(folder)
        self._lines: OrderedDict[str, Summary | None] = OrderedDict()
        self._unreadable: set[str] = set()
        self._changing = threading.Lock()
        self._reading = threading.Lock()

    def open(self) -> None:
        """Make the folder, try it, drop what a killed process left unfinished; OSError where that can't be done."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = self.folder / ".chatcmpl-probe.part"
        probe.touch(mode=0o600)
        probe.unlink()
        for unfinished in self.folder.glob(".chatcmpl-*.part"):
            unfinished.unlink(missing_ok=True)
        found = sorted(path.stem for path in self.folder.glob("chatcmpl-*.json"))
        self._lines.update((name, None) for name in found if _NAME.fullmatch(name))
        self._delete_oldest()

    def ids(self) -> list[str]:
        """Return the ids of all traces, the newest first: they sort by time."""
        with self._changing:
            return sorted(self._lines, reverse=True)

    def summaries(self) -> list[Summary]:
        """Return a line for each trace that can be read, the newest first."""
        with self._reading:  # who comes second finds the files read
            for name in self._unread():
                document = self.document(name)
                with self._changing:
                    if document is None:
                        self._unreadable.add(name)
                    elif name in self._lines:
                        self._lines[name] = summary(document)
        with self._changing:
            lines = [line for line in self._lines.values() if line is not None]
        return sorted(lines, key=lambda line: line.id, reverse=True)

    def _unread(self) -> list[str]:
        with self._changing:
            return [name for name, line in self._lines.items() if line is None and name not in self._unreadable]

    def _text(self, trace_id: str) -> str | None:
        with self._changing:
            if trace_id not in self._lines:
                return None
        try:
            return (self.folder / f"{trace_id}.json").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:  # deleted meanwhile, by us or by hand
            return None

    def _put(self, document: Mapping[str, Any], data: bytes) -> None:
        name = document["id"]
        self._put_file(f"{name}.md", markdown(document).encode(errors="backslashreplace"))
        self._put_file(f"{name}.json", indented(data))
        with self._changing:
            self._lines[name] = summary(document)
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
        while len(self._lines) > self._keep:
            with self._changing:
                name, _ = self._lines.popitem(last=False)
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
