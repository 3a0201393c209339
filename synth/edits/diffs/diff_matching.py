"""Apply one hunk of a unified diff that has no line numbers, exactly as leniently as aider does. Pure."""

from collections.abc import Sequence
from itertools import chain

from runtime.budget import Budget
from synth.edits.bounded_matcher import BoundedMatcher
from synth.edits.diffs.diff_syntax import DiffLines, diff_lines, split_sides

_MIN_UNIQUE_CHARS = 10
_MIN_KEPT_SHARE = 0.66
_PASSES = 6  # how often one attempt goes through the text
_MARK = "\N{LEFTWARDS ARROW}"
_LAST_CODE_POINT = 0x10FFFF


# Strategy. A model writes a hunk without line numbers, leaves lines out, invents blank ones, and gets indentation wrong
# by a constant. Each step of this module undoes one such mistake, from the cheapest to the most lenient; a step is only
# tried if the one before has failed, and all of it is aider's, because the tool will apply the answer in the same way.
# A short context may occur several times, so hunks with fewer than ten characters of it apply only if it is unique.
# Invariant: the file is either changed as a whole by one variant of the hunk, or not changed at all.


def apply_hunk(content: str, hunk: DiffLines, budget: Budget) -> str | None:
    """Return the text with the hunk applied, or None if it does not apply or leaves an empty text.

    First the whole hunk; then, without the expected lines that the text lacks, change by change with ever less context.
    """
    whole = _apply_whole(content, hunk, budget)
    if whole:
        return whole
    sections = _split_sections(_drop_absent_lines(content, hunk, budget))
    result: str | None = content
    for at in range(1, len(sections) - 1, 2):
        result = _apply_with_less_context(result, sections, at, budget) if result else None
    return result


def _apply_whole(content: str, hunk: DiffLines, budget: Budget) -> str | None:
    budget.spend(4 * len(hunk))
    before_lines, after_lines = split_sides(hunk)
    before = "".join(before_lines)
    if not before:
        return None
    budget.spend_chars(_PASSES * (len(content) + sum(map(len, hunk))))
    if len("".join(line.strip() for line in before_lines)) < _MIN_UNIQUE_CHARS and content.count(before) > 1:
        return None
    return _replace_flexibly(before, "".join(after_lines), content, budget)


def _replace_flexibly(search: str, replace: str, content: str, budget: Budget) -> str | None:
    """Replace every occurrence: as it is, without blank lines around, by relative indentation, or by both."""
    searches, replacements, contents = ((text, text.strip("\n") + "\n") for text in (search, replace, content))
    for attempt in (_replace_all, _replace_by_relative_indentation):
        for variant in zip(searches, replacements, contents, strict=True):
            if replaced := attempt(*variant, budget=budget):
                return replaced
    return None


def _replace_all(search: str, replace: str, content: str, budget: Budget) -> str | None:
    occurrences = content.count(search)
    budget.spend_chars(occurrences * len(replace))
    return content.replace(search, replace) if occurrences else None


def _replace_by_relative_indentation(search: str, replace: str, content: str, budget: Budget) -> str | None:
    mark = _find_unused_mark(search + replace + content)
    if mark is None:
        return None
    wanted, new, whole = (_to_relative(text, mark, budget) for text in (search, replace, content))
    replaced = _replace_all(wanted, new, whole, budget)
    return _to_absolute(replaced, mark, budget) if replaced else None


def _find_unused_mark(text: str) -> str | None:
    used = set(text)
    marks = chain(_MARK, map(chr, range(_LAST_CODE_POINT, 0x10000, -1)))
    return next((mark for mark in marks if mark not in used), None)


def _to_relative(text: str, mark: str, budget: Budget) -> str:
    """Return a text with two lines for each line: the change of its indentation, and its content."""
    pieces, previous = [], 0
    lines = text.splitlines(keepends=True)
    budget.spend(4 * len(lines))
    for line in lines:
        bare = line.rstrip("\r\n")
        size = len(bare) - len(bare.lstrip())
        change = line[previous:size] if size > previous else mark * (previous - size)
        pieces.append(f"{change}\n{line[size:]}")
        previous = size
    return "".join(pieces)


def _to_absolute(text: str, mark: str, budget: Budget) -> str | None:
    """Undo `_to_relative`, or None if that function cannot have produced the text."""
    lines = text.splitlines(keepends=True)
    budget.spend(2 * len(lines))
    if len(lines) % 2:
        return None
    pieces, previous = [], ""
    for change, rest in zip(lines[::2], lines[1::2], strict=True):
        step = change.rstrip("\r\n")
        indentation = previous[: -len(step)] if step.startswith(mark) else previous + step
        budget.spend_chars(len(indentation))
        pieces.append(indentation + rest if rest.rstrip("\r\n") else rest)
        previous = indentation
    absolute = "".join(pieces)
    return None if mark in absolute else absolute


def _drop_absent_lines(content: str, hunk: DiffLines, budget: Budget) -> DiffLines:
    """Return a hunk that adds the lines it expected but the text lacks; the same hunk if too little would be left."""
    before, after = split_sides(hunk)
    present = content.splitlines(keepends=True)
    kept = [line for start, size in _find_significant(before, present, budget) for line in before[start : start + size]]
    enough = len("".join(kept).strip()) >= _MIN_UNIQUE_CHARS and len(kept) >= len(before) * _MIN_KEPT_SHARE
    return diff_lines(kept, after, budget) if enough else hunk


def _find_significant(before: DiffLines, present: DiffLines, budget: Budget) -> list[tuple[int, int]]:
    """Return (start, size) of the pieces that `before` shares with a text, without those smaller than their gaps."""
    matches = BoundedMatcher(before, present, budget, autojunk=False).get_matching_blocks()
    common = [(match.a, match.b, match.size) for match in matches if match.size]
    edge = (len(before), len(present), 0)
    while True:
        budget.spend(4 * len(common))
        bounded = [(0, 0, 0), *common, edge]
        gaps = [
            max(a - end_a, b - end_b)
            for (end_a, end_b), (a, b, _) in zip(_list_ends(bounded), bounded[1:], strict=False)
        ]
        sizes = zip(common, gaps, gaps[1:], strict=False)
        chance = next((at for at, ((_, _, size), *around) in enumerate(sizes) if size <= min(around)), None)
        if chance is None:
            return [(a, size) for a, _, size in common]
        del common[chance]


def _list_ends(pieces: Sequence[tuple[int, int, int]]) -> list[tuple[int, int]]:
    return [(a + size, b + size) for a, b, size in pieces]


def _split_sections(hunk: DiffLines) -> list[list[str]]:
    """Return a hunk as context, changes, context and so on; it begins and ends with context, which may be empty."""
    sections: list[list[str]] = [[]]
    for line in hunk:
        is_change = line[0] in "-+"
        if is_change != (len(sections) % 2 == 0):
            sections.append([])
        sections[-1].append(line)
    return sections if len(sections) % 2 else [*sections, []]


def _apply_with_less_context(content: str, sections: Sequence[DiffLines], at: int, budget: Budget) -> str | None:
    """Apply the changes at one position with the longest part of the context around them that matches."""
    above, changes, below = sections[at - 1 : at + 2]
    budget.spend_chars(len(content))
    present = {line.strip() for line in content.splitlines()}
    attempts = (
        [*above[len(above) - used_above :], *changes, *below[: used - used_above]]
        for used in range(len(above) + len(below), -1, -1)
        for used_above in range(min(len(above), used), -1, -1)
        if used - used_above <= len(below)
    )
    possible = (hunk for hunk in attempts if _may_match(hunk, present, budget))
    return next((result for hunk in possible if (result := _apply_whole(content, hunk, budget))), None)


def _may_match(hunk: DiffLines, present: set[str], budget: Budget) -> bool:
    """Whether all expected lines occur somewhere. The first one may match the end of a longer line."""
    budget.spend(4 * len(hunk))
    before, _ = split_sides(hunk)
    expected = [line.strip() for line in before if line.strip()]
    return present.issuperset(expected[1:])
