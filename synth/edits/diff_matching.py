"""Finding the lines that a hunk of a diff expects, with the fuzz that aider allows. Pure."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import chain, islice

from synth.edits.diff_syntax import DiffLines, between, sides

_MIN_UNIQUE_CHARS = 10
_MIN_KEPT_SHARE = 0.66
# Bounds of what an answer can cost; hunks that people would call hunks stay far below.
_MAX_COMPARISONS = 5_000_000
_MAX_RESULT_CHARS = 20_000_000
_MIN_TRIES, _TRIED_CHARS = 50, 5_000_000
_MARK = "\N{LEFTWARDS ARROW}"
_LAST_CODE_POINT = 0x10FFFF


def hunk_applied(content: str, hunk: DiffLines) -> str | None:
    """Return a text with a hunk applied, None where it does not apply or leaves nothing.

    First as it is. Then without expected lines that the text lacks, change by change, each with ever less context.
    """
    whole = _applied_at_once(content, hunk)
    if whole:
        return whole
    sections = _sections(_without_absent_lines(content, hunk))
    result: str | None = content
    for at in range(1, len(sections) - 1, 2):
        result = _applied_in_part(result, *sections[at - 1 : at + 2]) if result else None
    return result


def _applied_at_once(content: str, hunk: DiffLines) -> str | None:
    before_lines, after_lines = sides(hunk)
    before = "".join(before_lines)
    if not before:
        return None
    if len("".join(line.strip() for line in before_lines)) < _MIN_UNIQUE_CHARS and content.count(before) > 1:
        return None
    return _flexibly_replaced(before, "".join(after_lines), content)


def _flexibly_replaced(search: str, replace: str, content: str) -> str | None:
    """Replace every occurrence: as it is, without blank lines around, by relative indentation, or by both."""
    texts = (search, replace, content)
    stripped = tuple(text.strip("\n") + "\n" for text in texts)
    for variant in (texts, stripped):
        if replaced := _replaced(*variant):
            return replaced
    for variant in (texts, stripped):
        if replaced := _by_relative_indentation(*variant):
            return replaced
    return None


def _replaced(search: str, replace: str, content: str) -> str | None:
    occurrences = content.count(search)
    too_large = occurrences * len(replace) > _MAX_RESULT_CHARS
    return content.replace(search, replace) if occurrences and not too_large else None


def _by_relative_indentation(search: str, replace: str, content: str) -> str | None:
    mark = _unused_mark(search + replace + content)
    if mark is None:
        return None
    relative = (_relative(text, mark) for text in (search, replace, content))
    replaced = _replaced(*relative)
    return _absolute(replaced, mark) if replaced else None


def _unused_mark(text: str) -> str | None:
    used = set(text)
    marks = chain(_MARK, map(chr, range(_LAST_CODE_POINT, 0x10000, -1)))
    return next((mark for mark in marks if mark not in used), None)


def _relative(text: str, mark: str) -> str:
    """Return a text in which two lines stand for each: how its indentation changes, and what it holds."""
    pieces, previous = [], 0
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        size = len(bare) - len(bare.lstrip())
        change = line[previous:size] if size > previous else mark * (previous - size)
        pieces.append(f"{change}\n{line[size:]}")
        previous = size
    return "".join(pieces)


def _absolute(text: str, mark: str) -> str | None:
    """Return what `_relative` was given; None for a text that it cannot have made."""
    lines = text.splitlines(keepends=True)
    if len(lines) % 2:
        return None
    pieces, previous = [], ""
    for change, rest in zip(lines[::2], lines[1::2], strict=True):
        step = change.rstrip("\r\n")
        indentation = previous[: -len(step)] if step.startswith(mark) else previous + step
        pieces.append(indentation + rest if rest.rstrip("\r\n") else rest)
        previous = indentation
    absolute = "".join(pieces)
    return None if mark in absolute else absolute


def _without_absent_lines(content: str, hunk: DiffLines) -> DiffLines:
    """Return a hunk that adds the lines which it expected and the text lacks, unless too little of it would be left."""
    before, after = sides(hunk)
    present = content.splitlines(keepends=True)
    if len(before) * len(present) > _MAX_COMPARISONS:
        return hunk
    kept = [line for start, size in _significant(before, present) for line in before[start : start + size]]
    enough = len("".join(kept).strip()) >= _MIN_UNIQUE_CHARS and len(kept) >= len(before) * _MIN_KEPT_SHARE
    return between(kept, after) if enough else hunk


def _significant(before: DiffLines, present: DiffLines) -> list[tuple[int, int]]:
    """Return the (start, size) of what `before` has in common with a text, but for pieces smaller than both gaps."""
    matches = SequenceMatcher(None, before, present, autojunk=False).get_matching_blocks()
    common = [(match.a, match.b, match.size) for match in matches if match.size]
    edge = (len(before), len(present), 0)
    while True:
        bounded = [(0, 0, 0), *common, edge]
        gaps = [
            max(a - end_a, b - end_b) for (end_a, end_b), (a, b, _) in zip(_ends(bounded), bounded[1:], strict=False)
        ]
        sizes = zip(common, gaps, gaps[1:], strict=False)
        chance = next((at for at, ((_, _, size), *around) in enumerate(sizes) if size <= min(around)), None)
        if chance is None:
            return [(a, size) for a, _, size in common]
        del common[chance]


def _ends(pieces: Sequence[tuple[int, int, int]]) -> list[tuple[int, int]]:
    return [(a + size, b + size) for a, b, size in pieces]


def _sections(hunk: DiffLines) -> list[list[str]]:
    """Return a hunk as context, changes, context and so on, beginning and ending with context, be it empty."""
    sections: list[list[str]] = [[]]
    for line in hunk:
        is_change = line[0] in "-+"
        if is_change != (len(sections) % 2 == 0):
            sections.append([])
        sections[-1].append(line)
    return sections if len(sections) % 2 else [*sections, []]


def _applied_in_part(content: str, above: DiffLines, changes: DiffLines, below: DiffLines) -> str | None:
    """Apply changes with as much of the context around them as matches."""
    present = {line.strip() for line in content.splitlines()}
    attempts = (
        [*above[len(above) - used_above :], *changes, *below[: used - used_above]]
        for used in range(len(above) + len(below), -1, -1)
        for used_above in range(min(len(above), used), -1, -1)
        if used - used_above <= len(below)
    )
    possible = (hunk for hunk in attempts if _may_match(hunk, present))
    tries = islice(possible, max(_MIN_TRIES, _TRIED_CHARS // (len(content) + 1)))
    return next((result for hunk in tries if (result := _applied_at_once(content, hunk))), None)


def _may_match(hunk: DiffLines, present: set[str]) -> bool:
    """Whether all expected lines occur at all. The first may match the end of a longer line."""
    before, _ = sides(hunk)
    expected = [line.strip() for line in before if line.strip()]
    return present.issuperset(expected[1:])
