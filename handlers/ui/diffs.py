"""The difference between two texts, by line and by word, with bounded work. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice, zip_longest
from typing import Literal

MAX_LINES = 1500
"""How many lines of each text are compared; the time grows with the square."""

MAX_ROWS = 400
"""How many rows of a diff are shown: nobody reads more, and a page has many diffs."""

_SIMILAR = 0.3  # a line less similar is another line, not the same one changed
_CONTEXT = 3
_MAX_LINE_PAIRS = 40_000
_MAX_WORD_PAIRS = 2_000
_POPULAR_FROM = 200  # in a sequence of this length difflib ignores frequent elements
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
    """The work that all diffs of a page may take together, counted in pairs of equal lines and of equal words.

    difflib looks at each such pair every time that it searches for the longest match. Two texts of 1,500 equal lines
    are two million pairs: seconds. Lines beyond the budget count as replaced as a whole.
    """

    line_pairs: int = 200_000
    word_pairs: int = 100_000


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
    n_pairs = _n_pairs(old_middle, new_middle)
    if n_pairs > min(_MAX_LINE_PAIRS, budget.line_pairs):
        yield "replace", head, len(old) - tail, head, len(new) - tail
    else:
        budget.line_pairs -= n_pairs
        for operation, i1, i2, j1, j2 in SequenceMatcher(None, old_middle, new_middle).get_opcodes():
            yield operation, i1 + head, i2 + head, j1 + head, j2 + head
    if tail:
        yield "equal", len(old) - tail, len(old), len(new) - tail, len(new)


def _equal_ends(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """Return how many lines are the same at the beginning, and how many more at the end."""
    shorter = min(len(old), len(new))
    head = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    tail = next((n for n in range(shorter - head) if old[-1 - n] != new[-1 - n]), shorter - head)
    return head, tail


def _n_pairs(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many pairs of equal elements difflib examines each time that it searches for the longest match."""
    counts = Counter(new)
    popular = len(new) // 100 + 1 if len(new) >= _POPULAR_FROM else len(new)
    return sum(counts[element] for element in old if counts[element] <= popular)


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
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    n_pairs = _n_pairs(old, new)
    matcher = SequenceMatcher(None, old, new)
    if n_pairs > min(_MAX_WORD_PAIRS, budget.word_pairs) or matcher.quick_ratio() < _SIMILAR:
        return [Piece(before)], [Piece(after)]
    budget.word_pairs -= n_pairs
    operations = matcher.get_opcodes()
    if matcher.ratio() < _SIMILAR:
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
