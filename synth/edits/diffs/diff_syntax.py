"""Parse unified diffs without line numbers, by the rules of aider's `udiff` format. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runtime.budget import Budget
from synth.edits.bounded_matcher import BoundedMatcher
from synth.edits.fences import TICKS, split_lines
from synth.edits.hunks import MalformedError

_OPENING = TICKS + "diff"
_OLD, _NEW, _NOWHERE = "--- ", "+++ ", "/dev/null"

DiffLines = Sequence[str]


@dataclass(frozen=True, slots=True)
class Diff:
    """One hunk of a diff: its lines with their signs, and its source."""

    path: str
    lines: DiffLines
    text: str


@dataclass(frozen=True, slots=True)
class Diffs:
    """The hunks of an answer. `truncated`: the last fence does not close, and the tool loses the last line."""

    hunks: Sequence[Diff]
    truncated: bool


def parse_diffs(text: str, budget: Budget) -> Diffs:
    """Return the hunks of an answer that change something, without duplicates.

    Raises MalformedError if the first one names no file: the tool then applies none of them.
    """
    budget.spend_chars(len(text))
    lines = split_lines(text)
    budget.spend(4 * len(lines))
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
        for named, hunk, source in _split_hunks(lines[inside.start : position]):
            path = named or path
            if path is None:
                raise MalformedError("a diff does not begin with the names of its file, after --- and +++")
            if normal := _normalize(hunk, budget):
                found.setdefault((path, "".join(normal)), Diff(path, normal, source))
        position += 1
    return Diffs(tuple(found.values()), truncated)


def _split_hunks(block: DiffLines) -> Iterator[tuple[str | None, DiffLines, str]]:
    """Yield (path, lines, source) of each hunk in a fenced block; the path is None if the block names no file."""
    path, start = _read_first_path(block)
    hunk: list[str] = []
    begins, changes = start, False
    for position in range(start, len(block) + 1):
        line = block[position] if position < len(block) else "@@"
        if _names_next_file(hunk, line):
            yield path, _without_old_name(hunk), _join_source(block, begins, position - 1)
            path, hunk, begins, changes = line[len(_NEW) :].strip(), [], position + 1, False
        elif line.startswith("@") and len(line) > 1:
            if changes:
                yield path, hunk, _join_source(block, begins, position)
            hunk, begins, changes = [], position, False
        else:
            hunk.append(line)
            changes = changes or (len(line) > 1 and line[0] in "-+")


def _read_first_path(block: DiffLines) -> tuple[str | None, int]:
    """Return the path in the first two lines and the position after them, or (None, 0)."""
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


def _join_source(block: DiffLines, start: int, end: int) -> str:
    return "".join(block[start:end]).removesuffix("\n")


def split_sides(hunk: DiffLines) -> tuple[list[str], list[str]]:
    """Return the lines that a hunk expects in the file, and the lines that it replaces them with."""
    before, after = [], []
    for line in hunk:
        sign, rest = (line[0], line[1:]) if len(line) > 1 else (" ", line)
        if sign in " -":
            before.append(rest)
        if sign in " +":
            after.append(rest)
    return before, after


def diff_lines(before: DiffLines, after: DiffLines, budget: Budget) -> list[str]:
    """Return the difference of two lists of lines as one hunk, with all equal lines as its context; [] if none."""
    operations = BoundedMatcher(before, after, budget).get_opcodes()
    if all(operation == "equal" for operation, *_ in operations):
        return []
    hunk: list[str] = []
    for operation, i1, i2, j1, j2 in operations:
        if operation == "equal":
            hunk += [" " + line for line in before[i1:i2]]
        else:
            hunk += ["-" + line for line in before[i1:i2]] + ["+" + line for line in after[j1:j2]]
    return hunk


def _normalize(hunk: DiffLines, budget: Budget) -> list[str]:
    """Return a hunk with blank lines made empty and removals before additions; an empty list if nothing changes."""
    before, after = split_sides(hunk)
    return diff_lines([_empty_if_blank(line) for line in before], [_empty_if_blank(line) for line in after], budget)


def _empty_if_blank(line: str) -> str:
    return line if line.strip() else "\n"
