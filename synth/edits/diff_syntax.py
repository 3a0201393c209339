"""Reading unified diffs without line numbers out of an answer, by the rules of aider's `udiff`. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff

from synth.edits.fences import TICKS, lines_of
from synth.edits.hunks import MalformedError

_OPENING = TICKS + "diff"
_OLD, _NEW, _NOWHERE = "--- ", "+++ ", "/dev/null"
_HEADER_LINES = 3  # two with names, one with numbers

DiffLines = Sequence[str]


@dataclass(frozen=True, slots=True)
class Diff:
    """One hunk of a diff: its lines with their signs, and its source."""

    path: str
    lines: DiffLines
    text: str


@dataclass(frozen=True, slots=True)
class Diffs:
    """The hunks of an answer. `truncated`: the last fence does not close, and its last line is lost."""

    hunks: Sequence[Diff]
    truncated: bool


def diffs(text: str) -> Diffs:
    """Return the hunks of an answer that change something, without repetitions.

    MalformedError where the first one names no file: the tool then takes none of them.
    """
    lines = lines_of(text)
    found: dict[tuple[str, str], Diff] = {}
    path: str | None = None
    position, truncated = 0, False
    while position < len(lines):
        if not lines[position].startswith(_OPENING):
            position += 1
            continue
        inside = range(position + 1, len(lines))
        end = next((at for at in inside if lines[at].startswith(TICKS)), None)
        truncated = end is None
        position = len(lines) - 1 if end is None else end
        for named, hunk, source in _hunks(lines[inside.start : position]):
            path = named or path
            if path is None:
                raise MalformedError("a diff does not begin with the names of its file, after --- and +++")
            if normal := _normal(hunk):
                found.setdefault((path, "".join(normal)), Diff(path, normal, source))
        position += 1
    return Diffs(tuple(found.values()), truncated)


def _hunks(block: DiffLines) -> Iterator[tuple[str | None, DiffLines, str]]:
    """Yield (path, lines, source) of each hunk in a fenced block; the path is None where the block gives none."""
    path, start = _first_path(block)
    hunk: list[str] = []
    begins, changes = start, False
    for position in range(start, len(block) + 1):
        line = block[position] if position < len(block) else "@@"
        if _names_next_file(hunk, line):
            yield path, _without_old_name(hunk), _source(block, begins, position - 1)
            path, hunk, begins, changes = line[len(_NEW) :].strip(), [], position + 1, False
        elif line.startswith("@") and len(line) > 1:
            if changes:
                yield path, hunk, _source(block, begins, position)
            hunk, begins, changes = [], position, False
        else:
            hunk.append(line)
            changes = changes or (len(line) > 1 and line[0] in "-+")


def _first_path(block: DiffLines) -> tuple[str | None, int]:
    """Return the file that the first two lines name, and the line after them."""
    if len(block) < 2 or not block[0].startswith(_OLD) or not block[1].startswith(_NEW):  # noqa: PLR2004 - a pair
        return None, 0
    old, new = block[0][len(_OLD) :].strip(), block[1][len(_NEW) :].strip()
    prefixed = (old.startswith("a/") or old == _NOWHERE) and new.startswith("b/")
    return new[2:] if prefixed else new, 2


def _names_next_file(hunk: DiffLines, line: str) -> bool:
    return line.startswith(_NEW) and bool(hunk) and hunk[-1].startswith(_OLD)


def _without_old_name(hunk: DiffLines) -> DiffLines:
    blank_before = hunk[-2:-1] == ["\n"]
    return hunk[:-2] if blank_before else hunk[:-1]


def _source(block: DiffLines, start: int, end: int) -> str:
    return "".join(block[start:end]).removesuffix("\n")


def sides(hunk: DiffLines) -> tuple[list[str], list[str]]:
    """Return the lines that a hunk expects, and those that it leaves."""
    before, after = [], []
    for line in hunk:
        sign, rest = (line[0], line[1:]) if len(line) > 1 else (" ", line)
        if sign in " -":
            before.append(rest)
        if sign in " +":
            after.append(rest)
    return before, after


def between(before: DiffLines, after: DiffLines) -> list[str]:
    """Return the one hunk that leads from some lines to others, with all that they have in common as its context."""
    return list(unified_diff(before, after, n=max(len(before), len(after))))[_HEADER_LINES:]


def _normal(hunk: DiffLines) -> list[str]:
    """Return a hunk with blank lines truly blank and its changes in the usual order; empty where nothing changes."""
    before, after = sides(hunk)
    return between([_blanked(line) for line in before], [_blanked(line) for line in after])


def _blanked(line: str) -> str:
    return line if line.strip() else "\n"
