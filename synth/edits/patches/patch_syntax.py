"""Parse patches between `*** Begin Patch` and `*** End Patch`, by the rules of aider. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from runtime.budget import Budget
from synth.edits.hunks import MalformedError

BEGIN, END = "*** Begin Patch", "*** End Patch"
UPDATE, ADD, DELETE, MOVE = "*** Update File: ", "*** Add File: ", "*** Delete File: ", "*** Move to: "
_SCOPE, _END_OF_FILE = "@@", "*** End of File"
_ACTION_MARKS = (END, UPDATE.rstrip(), DELETE.rstrip(), ADD.rstrip())


class Action(Enum):
    """The kind of change to a file; the value is the marker in the patch."""

    UPDATE = UPDATE
    ADD = ADD
    DELETE = DELETE


@dataclass(frozen=True, slots=True)
class Section:
    """Changes that stand close together.

    `scopes` are lines that stand above the section, `expected` the lines that the section replaces, and each change
    (at, old, new) replaces the lines `old` at the position `at` of `expected`.
    """

    scopes: Sequence[str]
    expected: Sequence[str]
    changes: Sequence[tuple[int, Sequence[str], Sequence[str]]]
    at_end: bool
    text: str


@dataclass(frozen=True, slots=True)
class FilePatch:
    """A patch's changes to one file. `text` is its source with the marker line, `content` that of a new file."""

    action: Action
    path: str
    text: str
    content: str = ""
    move_to: str | None = None
    sections: Sequence[Section] = ()


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch. `truncated`: it has no end marker."""

    files: Sequence[FilePatch]
    truncated: bool


def parse_patch(text: str, budget: Budget) -> Patch:
    """Return the patch in an answer, or an empty one if the answer has no patch.

    Raises MalformedError if any line is malformed, including prose before the patch: the tool then applies none of it.
    """
    budget.spend_chars(2 * len(text))
    lines = text.splitlines()
    budget.spend(8 * len(lines))
    sources = text.splitlines(keepends=True)
    begins = len(lines) > 1 and lines[0].startswith(BEGIN)
    if begins or any(line.startswith((_SCOPE, *_ACTION_MARKS[1:])) for line in lines):
        return _Reader(lines, sources, 1 if begins else 0).read()
    return Patch((), truncated=False)


class _Reader:
    """Reads the lines of one patch from the first to the last."""

    def __init__(self, lines: Sequence[str], sources: Sequence[str], position: int) -> None:
        self._lines = lines
        self._sources = sources
        self._position = position

    @property
    def _line(self) -> str:
        return self._lines[self._position]

    @property
    def _inside(self) -> bool:
        """Whether the current file has more lines."""
        return self._position < len(self._lines) and not self._line.startswith(_ACTION_MARKS)

    def read(self) -> Patch:
        files: list[FilePatch] = []
        while self._position < len(self._lines):
            line = self._line
            if line == END:
                return Patch(files, truncated=False)
            action = next((action for action in Action if line.startswith(action.value)), None)
            if action is not None:
                files.append(self._read_file(action))
            elif line.strip():
                raise MalformedError(f"line {self._position + 1} belongs to no file of the patch: {line[:80]!r}")
            else:
                self._position += 1
        return Patch(files, truncated=True)

    def _read_file(self, action: Action) -> FilePatch:
        start = self._position
        path = self._line[len(action.value) :].strip()
        if not path:
            raise MalformedError(f"line {start + 1} of the patch names no file")
        self._position += 1
        move_to, content, sections = None, "", list[Section]()
        if action is Action.ADD:
            content = self._read_content()
        elif action is Action.UPDATE:
            move_to = self._read_move()
            while self._inside:
                sections.append(self._read_section())
        return FilePatch(action, path, self._join_source(start), content, move_to, sections)

    def _join_source(self, start: int) -> str:
        return "".join(self._sources[start : self._position]).removesuffix("\n").removesuffix("\r")

    def _read_move(self) -> str | None:
        if self._position == len(self._lines) or not self._line.startswith(MOVE):
            return None
        target = self._line[len(MOVE) :].strip()
        if not target:
            raise MalformedError(f"line {self._position + 1} of the patch names no file")
        self._position += 1
        return target

    def _read_content(self) -> str:
        added = []
        while self._inside:
            if self._line.strip() and not self._line.startswith("+"):
                raise MalformedError(f"line {self._position + 1} of the patch lacks its +: {self._line[:80]!r}")
            added.append(self._line[1:] if self._line.startswith("+") else "")
            self._position += 1
        content = "\n".join(added)
        return content if content.endswith("\n") else content + "\n"

    def _read_section(self) -> Section:
        start = self._position
        scopes = []
        while self._inside and self._line.startswith(_SCOPE):
            if scope := self._line[len(_SCOPE) :].strip():
                scopes.append(scope)
            self._position += 1
        expected, changes = self._read_changes()
        at_end = self._inside and self._line == _END_OF_FILE
        self._position += at_end
        return Section(scopes, expected, changes, at_end, self._join_source(start))

    def _read_changes(self) -> tuple[list[str], list[tuple[int, list[str], list[str]]]]:
        expected: list[str] = []
        changes: list[tuple[int, list[str], list[str]]] = []
        start, previous = self._position, " "
        while self._inside and not self._line.startswith((_SCOPE, "***")):
            line = self._line if self._line.strip() or self._line.startswith(" ") else " "
            sign, rest = line[0], line[1:]
            if sign not in " +-":
                raise MalformedError(f"line {self._position + 1} of the patch has no sign: {self._line[:80]!r}")
            if sign != " " and previous == " ":
                changes.append((len(expected), [], []))
            if sign != " ":
                _, old, new = changes[-1]
                (old if sign == "-" else new).append(rest)
            if sign != "+":
                expected.append(rest)
            previous = sign
            self._position += 1
        if self._inside and self._line.startswith("***") and self._line not in ("***", _END_OF_FILE):
            raise MalformedError(f"line {self._position + 1} of the patch is no marker: {self._line[:80]!r}")
        if self._position == start and not (self._inside and self._line.startswith(_END_OF_FILE)):
            raise MalformedError(f"an empty section ends at line {start} of the patch")
        return expected, changes
