"""Parse SEARCH/REPLACE blocks by the rules of aider's `diff` and `diff-fenced` formats. Pure."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from runtime.budget import Budget
from synth.edits.bounded_matcher import BoundedMatcher
from synth.edits.fences import TICKS, Fence
from synth.edits.hunks import MalformedError

_HEAD = re.compile(r"<{5,9} SEARCH>?\s*$")
_DIVIDER = re.compile(r"={5,9}\s*$")
_END = re.compile(r">{5,9} REPLACE\s*$")
_SHELLS = ("bash", "sh", "cmd", "batch", "powershell", "ps1", "zsh", "fish", "ksh", "csh", "tcsh")
_SHELL_FENCES = tuple(TICKS + shell for shell in _SHELLS)
_LINES_ABOVE = 3
_NAME_SIMILARITY = 0.8
_MAX_NAME_CHARS = 500


@dataclass(frozen=True, slots=True)
class Block:
    """One SEARCH/REPLACE block.

    `text` is its source with file name and fences; `named`, `opened` and `closed` say which of them it has.
    """

    path: str
    search: str
    replace: str
    text: str
    named: bool
    opened: bool
    closed: bool


def parse_blocks(text: str, fence: Fence, names: Sequence[str], budget: Budget) -> list[Block]:
    """Return the blocks of an answer. `names` are the files of the workspace; a block's name may differ a little.

    Raises MalformedError if a block does not end or has no file name: the tool then applies none of them.
    """
    return _Reader(text, fence, _Names(names, budget), budget).read()


class _Names:
    """The files of the workspace, by the names that an answer may give them."""

    def __init__(self, names: Sequence[str], budget: Budget) -> None:
        budget.spend(4 * len(names))
        self._names = names
        self._known = frozenset(names)
        self._by_base_name = {PurePosixPath(name).name: name for name in reversed(names)}
        self._similar: dict[str, str | None] = {}
        self._budget = budget

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def find_by_base_name(self, name: str) -> str | None:
        """Return the first file with this name in any folder."""
        return self._by_base_name.get(name)

    def find_similar(self, name: str) -> str | None:
        """Return the file whose path is the most similar to the name, if any is similar enough."""
        if len(name) > _MAX_NAME_CHARS:
            return None
        if name not in self._similar:
            scored = [(self._rate(known, name), known) for known in self._names]
            self._similar[name] = max([each for each in scored if each[0] >= _NAME_SIMILARITY], default=(0, None))[1]
        return self._similar[name]

    def _rate(self, known: str, name: str) -> float:
        """Return difflib's ratio, or less if its quick bound is below what counts as similar."""
        longest = 2 * min(len(known), len(name)) / max(1, len(known) + len(name))
        if longest < _NAME_SIMILARITY:
            return 0
        matcher = BoundedMatcher(known, name, self._budget)
        quick = matcher.quick_ratio()
        return quick if quick < _NAME_SIMILARITY else matcher.ratio()


_NO_NAMES = _Names((), Budget(0))


class _Reader:
    """Reads the lines of one answer from the first to the last."""

    def __init__(self, text: str, fence: Fence, names: _Names, budget: Budget) -> None:
        budget.spend_chars(len(text))
        self._lines = text.splitlines(keepends=True)
        budget.spend(4 * len(self._lines))
        self._fence = fence
        self._names = names
        self._position = 0
        self._taken = 0  # the lines before this one belong to earlier blocks
        self._last_path = ""

    def read(self) -> list[Block]:
        found = []
        while self._position < len(self._lines):
            if self._at_shell_commands():
                self._skip_shell_commands()
            elif self._at(_HEAD, self._position):
                found.append(self._read_block())
            else:
                self._position += 1
        return found

    def _at(self, mark: re.Pattern[str], position: int) -> bool:
        return position < len(self._lines) and mark.match(self._lines[position].strip()) is not None

    def _at_shell_commands(self) -> bool:
        """Whether a fenced block of shell commands begins here, and not an edit block of a script."""
        fenced = self._lines[self._position].strip().startswith(_SHELL_FENCES)
        return fenced and not any(self._at(_HEAD, self._position + ahead) for ahead in (1, 2))

    def _skip_shell_commands(self) -> None:
        self._position += 1
        while self._position < len(self._lines) and not self._lines[self._position].strip().startswith(TICKS):
            self._position += 1
        self._position += 1

    def _read_block(self) -> Block:
        head = self._position
        above = self._lines[max(0, head - _LINES_ABOVE) : head]
        creates = self._at(_DIVIDER, head + 1)  # an empty SEARCH creates a file: similar names of others do not count
        names = _NO_NAMES if creates else self._names
        path = _find_name(above, self._fence, names) or self._last_path
        if not path:
            raise MalformedError("a SEARCH/REPLACE block has no file name on the line above it")
        self._last_path = path
        divider = self._find(head + 1, (_DIVIDER,))
        end = None if divider is None else self._find(divider + 1, (_END, _DIVIDER))
        if divider is None or end is None:
            raise MalformedError(f"truncated: the last SEARCH/REPLACE block, for {path}, does not end")
        start = self._find_start(head, path, names)
        closed = end + 1 < len(self._lines) and self._fence.ends(self._lines[end + 1])
        self._position = end + 1
        self._taken = end + 2 if closed else end + 1
        return Block(
            path=path,
            search="".join(self._lines[head + 1 : divider]),
            replace="".join(self._lines[divider + 1 : end]),
            text="".join(self._lines[start : self._taken]).rstrip("\r\n"),
            named=_find_name(self._lines[start:head], self._fence, names) == path,
            opened=any(self._fence.starts(line) for line in self._lines[start:head]),
            closed=closed,
        )

    def _find(self, position: int, marks: Collection[re.Pattern[str]]) -> int | None:
        rest = range(position, len(self._lines))
        return next((at for at in rest if any(self._at(mark, at) for mark in marks)), None)

    def _find_start(self, head: int, path: str, names: _Names) -> int:
        """Return the first line of the block with its mark at `head`: its file name, or its fence."""
        start = head
        while start > max(self._taken, head - _LINES_ABOVE) and self._fence.starts(self._lines[start - 1]):
            start -= 1
        if start == max(self._taken, head - _LINES_ABOVE):
            return start
        if _find_name(self._lines[start:head], self._fence, names) == path:
            return start
        if _find_name(self._lines[start - 1 : head], self._fence, names) != path:
            return start
        start -= 1
        fence_above = start > self._taken and self._fence.starts(self._lines[start - 1])
        return start - 1 if fence_above and start == head - 1 else start


def _find_name(above: Sequence[str], fence: Fence, names: _Names) -> str | None:
    """Return the file name in the lines above a block: the most similar of `names`, if one is similar enough."""
    found = []
    for line in reversed(above):
        if name := _strip_markup(line, fence):
            found.append(name)
        if not fence.starts(line):
            break
    exact = next((name for name in found if name in names), None)
    if exact is not None:
        return exact
    for find in (names.find_by_base_name, names.find_similar):
        known = next((known for known in map(find, found) if known is not None), None)
        if known is not None:
            return known
    return next((name for name in found if "." in name), found[0] if found else None)


def _strip_markup(line: str, fence: Fence) -> str | None:
    """Return the name in a line without the markup that models put around names, or None if the line has no name."""
    line = line.strip()
    for opening in (fence.opening, TICKS):
        if line.startswith(opening):
            behind = line[len(opening) :]
            return behind if "." in behind or "/" in behind else None
    if line == "...":
        return None
    return line.rstrip(":").lstrip("#").strip().strip("`").strip("*") or None
