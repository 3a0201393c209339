"""Find the lines that an edit block searches for, exactly as leniently as aider does. Pure."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from runtime.budget import Budget
from synth.edits.fences import Fence, split_lines
from synth.edits.line_search import find_sequence, find_sequences

_PASSES = 3  # how often the texts are scanned
_MIN_LINES_TO_DROP_ONE = 3

Lines = Sequence[str]


# Strategy. Models quote the lines to be changed from memory, so an exact search alone rejects many good edits, and a
# fuzzy one changes the wrong place. The right behaviour is that of the tool in front of the gateway, which will apply
# the answer. So the four attempts below, their order and their quirks are aider's, including that a block that would
# leave an empty file does not apply. (aider's fifth attempt, by edit distance, is switched off there, and so here.)
# Invariant: if an attempt succeeds, no later one is tried, and exactly one place of the file has changed, except that
# elided pieces (`...`) change one place each.


def replace_lines(whole: str, search: str, replace: str, budget: Budget) -> str | None:
    """Return `whole` with the first match of `search` replaced, or None if nothing matches or the result is empty.

    Attempts in turn: the exact lines; the lines with one and the same extra indentation; both again without a blank
    first line; the pieces between lines of `...`, each of which must occur exactly once.
    """
    budget.spend_chars(_PASSES * (len(whole) + len(search) + len(replace)))
    whole_lines, search_lines, new_lines = split_lines(whole), split_lines(search), split_lines(replace)
    attempts = [search_lines]
    if len(search_lines) >= _MIN_LINES_TO_DROP_ONE and not search_lines[0].strip():
        attempts.append(search_lines[1:])
    for attempt in attempts:
        for replace_attempt in (_replace_exact, _replace_indented):
            if found := replace_attempt(whole_lines, attempt, new_lines, budget):
                return found
    return _replace_elided("".join(whole_lines), "".join(search_lines), "".join(new_lines), budget) or None


def unwrap(text: str, path: str, fence: Fence) -> str | None:
    """Return one side of a block without a file name and a fence that a model put inside, or None if that is empty."""
    if not text:
        return text
    lines = text.splitlines()
    if path and lines[0].strip().endswith(PurePosixPath(path).name):
        lines = lines[1:]
    if not lines:
        return None
    if lines[0].startswith(fence.opening) and lines[-1].startswith(fence.closing):
        lines = lines[1:-1]
    unwrapped_text = "\n".join(lines)
    return unwrapped_text if not unwrapped_text or unwrapped_text.endswith("\n") else unwrapped_text + "\n"


def _replace_exact(whole: Lines, search: Lines, replace: Lines, budget: Budget) -> str | None:
    start = find_sequence(whole, search, budget)
    return None if start is None else "".join([*whole[:start], *replace, *whole[start + len(search) :]])


def _replace_indented(whole: Lines, search: Lines, replace: Lines, budget: Budget) -> str | None:
    """Replace lines that all have the same extra indentation, and give it to the new lines too."""
    budget.spend(2 * (len(whole) + len(search) + len(replace)))
    search, replace = _remove_margin(search, replace)
    bare_whole, bare_search = [line.lstrip() for line in whole], [line.lstrip() for line in search]
    for start in find_sequences(bare_whole, bare_search, budget):
        indentation = _common_indentation(whole[start : start + len(search)], search)
        if indentation is not None:
            indented = [indentation + line if line.strip() else line for line in replace]
            return "".join([*whole[:start], *indented, *whole[start + len(search) :]])
    return None


def _remove_margin(search: Lines, replace: Lines) -> tuple[Lines, Lines]:
    margins = [len(line) - len(line.lstrip()) for line in (*search, *replace) if line.strip()]
    margin = min(margins, default=0)
    if not margin:
        return search, replace
    sides = ([line[margin:] if line.strip() else line for line in side] for side in (search, replace))
    return next(sides), next(sides)


def _common_indentation(lines: Lines, search: Lines) -> str | None:
    """Return the extra indentation of the lines over those searched for, or None if it is not the same for all."""
    added = {line[: len(line) - len(wanted)] for line, wanted in zip(lines, search, strict=True) if line.strip()}
    return added.pop() if len(added) == 1 else None


def _replace_elided(whole: str, search: str, replace: str, budget: Budget) -> str | None:
    if "...\n" not in search:
        return None
    budget.spend(search.count("\n") + replace.count("\n"))
    searched, new = _split_at_elisions(search), _split_at_elisions(replace)
    if len(searched) == 1 or len(searched) != len(new) or searched[1::2] != new[1::2]:
        return None
    for old_piece, new_piece in zip(searched[::2], new[::2], strict=True):
        budget.spend_chars(2 * len(whole) + len(old_piece) + len(new_piece))
        if old_piece:
            if whole.count(old_piece) != 1:
                return None
            whole = whole.replace(old_piece, new_piece, 1)
        else:
            whole += new_piece
    return whole


def _split_at_elisions(text: str) -> list[str]:
    """Return the text before, at and after each line of `...`; the blank lines above such a line belong to it."""
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1].removesuffix("\n")
    pieces: list[str] = []
    begins = blank_from = 0
    for position, line in enumerate(lines):
        if line.lstrip() == "...\n":
            pieces += ["".join(lines[begins:blank_from]), "".join(lines[blank_from : position + 1])]
            begins = position + 1
        if line.strip():
            blank_from = position + 1
    return [*pieces, "".join(lines[begins:])]
