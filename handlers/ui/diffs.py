"""The difference between two texts, by line and by word, with bounded work. Pure.

difflib searches for the longest match, then for the longest on either side of it, and so on. Each search visits every
pair of equal elements in its range, so texts with many equal lines (blank ones, say) take time with the cube of their
length. A hostile candidate could keep a page busy for minutes. So the matcher counts its steps while it searches, and
gives up when the budget is spent: the text then counts as replaced as a whole, which is correct but less helpful. A
limit on the number of pairs alone was tried: texts with few pairs and many matches still took a second.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from itertools import islice, zip_longest
from typing import Literal

MAX_LINES = 1500
"""How many lines of each text are compared; the time grows with the square."""

MAX_ROWS = 400
"""How many rows of a diff are shown; a page has many diffs."""

_SIMILAR = 0.3  # a less similar line counts as another line, not as the same one changed
_CONTEXT = 3
_MAX_LINE_STEPS = 1_000_000
_MAX_WORD_CHARS = 10_000
_MAX_WORD_STEPS = 20_000
_WORDS = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")

_Operation = tuple[str, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line, and whether it differs from the line on the other side."""

    text: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a diff, with its number before and after; a `gap` stands for `n_hidden` equal lines."""

    kind: Literal["same", "add", "del", "gap"]
    old: int | None = None
    new: int | None = None
    pieces: Sequence[Piece] = ()
    n_hidden: int = 0


@dataclass(frozen=True, slots=True)
class Diff:
    """The first rows of a difference, and how many lines were added and removed in all.

    `cut` says that a text was too long, so that only its beginning was compared.
    """

    rows: Sequence[Row]
    n_added: int
    n_removed: int
    cut: bool = False
    is_whole: bool = True

    @property
    def same(self) -> bool:
        """Whether the two texts are equal, apart from their last line end."""
        return not self.n_added and not self.n_removed and not self.cut


@dataclass(slots=True)
class DiffBudget:
    """The work that all diffs of a page may take together, in steps of difflib's search."""

    line_steps: int = 3_000_000
    word_steps: int = 300_000


class _BudgetSpentError(Exception):
    """The search for a difference took more steps than it may."""


class _Matcher(SequenceMatcher[str]):
    """difflib's matcher with a limit on its work: `n_steps` is how many steps it has taken."""

    a: Sequence[str]
    b2j: Mapping[str, Sequence[int]]  # documented by difflib: the positions of each element of `new`

    def __init__(self, old: Sequence[str], new: Sequence[str], max_steps: int) -> None:
        super().__init__(None, old, new)
        self._max_steps = max_steps
        self.n_steps = 0

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        """Return the longest match in a range; _BudgetSpentError if counting it exceeds the limit."""
        self.n_steps += sum(1 + len(self.b2j.get(element, ())) for element in self.a[alo:ahi])
        if self.n_steps > self._max_steps:
            raise _BudgetSpentError
        return super().find_longest_match(alo, ahi, blo, bhi)


def compute_diff(before: str, after: str, budget: DiffBudget) -> Diff:
    """Return the difference from `before` to `after`, with a few equal lines around each change."""
    old, new = _lines(before), _lines(after)
    cut = len(old) > MAX_LINES or len(new) > MAX_LINES
    old, new = old[:MAX_LINES], new[:MAX_LINES]
    operations = list(_operations(old, new, budget))
    changes = [operation for operation in operations if operation[0] != "equal"]
    rows = list(islice(_rows(old, new, operations, budget), MAX_ROWS + 1)) if changes else []
    return Diff(
        rows[:MAX_ROWS],
        n_added=sum(j2 - j1 for _, _, _, j1, j2 in changes),
        n_removed=sum(i2 - i1 for _, i1, i2, _, _ in changes),
        cut=cut,
        is_whole=len(rows) <= MAX_ROWS,
    )


def _operations(old: Sequence[str], new: Sequence[str], budget: DiffBudget) -> Iterator[_Operation]:
    """Yield difflib's operations; beyond the budget a single one that replaces all between the equal ends."""
    head, tail = _equal_ends(old, new)
    if head:
        yield "equal", 0, head, 0, head
    old_middle, new_middle = old[head : len(old) - tail], new[head : len(new) - tail]
    matcher = _Matcher(old_middle, new_middle, min(_MAX_LINE_STEPS, budget.line_steps))
    try:
        operations = matcher.get_opcodes()
    except _BudgetSpentError:
        operations = [("replace", 0, len(old_middle), 0, len(new_middle))]
    budget.line_steps -= min(matcher.n_steps, budget.line_steps)
    for operation, i1, i2, j1, j2 in operations:
        yield operation, i1 + head, i2 + head, j1 + head, j2 + head
    if tail:
        yield "equal", len(old) - tail, len(old), len(new) - tail, len(new)


def _equal_ends(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """Return how many lines are the same at the beginning, and how many more at the end."""
    shorter = min(len(old), len(new))
    head = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    tail = next((n for n in range(shorter - head) if old[-1 - n] != new[-1 - n]), shorter - head)
    return head, tail


def _rows(
    old: Sequence[str], new: Sequence[str], operations: Sequence[_Operation], budget: DiffBudget
) -> Iterator[Row]:
    for position, (operation, i1, i2, j1, j2) in enumerate(operations):
        if operation == "equal":
            lines = [Row("same", i1 + n + 1, j1 + n + 1, (Piece(line),)) for n, line in enumerate(old[i1:i2])]
            yield from _shorten(lines, first=position == 0, last=position == len(operations) - 1)
        else:
            yield from _changed_rows(old[i1:i2], new[j1:j2], i1, j1, budget)


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _shorten(lines: Sequence[Row], *, first: bool, last: bool) -> Iterator[Row]:
    """Yield equal lines, the middle of a long run as a gap."""
    head = 0 if first else _CONTEXT
    tail = 0 if last else _CONTEXT
    n_hidden = len(lines) - head - tail
    if n_hidden <= 1:
        yield from lines
        return
    yield from lines[:head]
    yield Row("gap", n_hidden=n_hidden)
    yield from lines[len(lines) - tail :]


def _changed_rows(
    old: Sequence[str], new: Sequence[str], old_start: int, new_start: int, budget: DiffBudget
) -> list[Row]:
    """Return the rows of lines that replace others: first all that were removed, then all that were added."""
    removed: list[Row] = []
    added: list[Row] = []
    for n, (before, after) in enumerate(islice(zip_longest(old, new), MAX_ROWS + 1)):
        old_pieces, new_pieces = _pieces(before, after, budget)
        if before is not None:
            removed.append(Row("del", old=old_start + n + 1, pieces=old_pieces))
        if after is not None:
            added.append(Row("add", new=new_start + n + 1, pieces=new_pieces))
    return removed + added


def _pieces(before: str | None, after: str | None, budget: DiffBudget) -> tuple[list[Piece], list[Piece]]:
    """Return two lines in pieces that mark the differing words; in one piece if they are too long or too unlike."""
    if before is None or after is None:
        return [Piece(before or "")], [Piece(after or "")]
    if len(before) + len(after) > _MAX_WORD_CHARS:  # the pattern would hold the interpreter for a long line
        return [Piece(before)], [Piece(after)]
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    matcher = _Matcher(old, new, min(_MAX_WORD_STEPS, budget.word_steps))
    try:
        operations = matcher.get_opcodes() if matcher.quick_ratio() >= _SIMILAR else None
    except _BudgetSpentError:
        operations = None
    budget.word_steps -= min(matcher.n_steps, budget.word_steps)
    if operations is None or matcher.ratio() < _SIMILAR:
        return [Piece(before)], [Piece(after)]
    old_pieces = [piece for operation, i1, i2, _, _ in operations for piece in _mark(old[i1:i2], operation)]
    new_pieces = [piece for operation, _, _, j1, j2 in operations for piece in _mark(new[j1:j2], operation)]
    return old_pieces, new_pieces


def _mark(words: Sequence[str], operation: str) -> Iterator[Piece]:
    """Yield words as one piece, with no mark on the white space before them."""
    text = "".join(words)
    bare = text.lstrip() if operation != "equal" else text
    if len(bare) < len(text):
        yield Piece(text[: len(text) - len(bare)])
    if bare:
        yield Piece(bare, operation != "equal")
