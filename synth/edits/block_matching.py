"""Find the lines that an edit block searches for, exactly as leniently as aider does. Pure."""

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from synth.edits.fences import Fence, split_lines

_ELISION = re.compile(r"(^\s*\.\.\.\n)", re.MULTILINE)
_MIN_LINES_TO_DROP_ONE = 3

Lines = Sequence[str]


# Strategy. Models quote the lines to be changed from memory, so an exact search alone rejects many good edits, and a
# fuzzy one changes the wrong place. What counts is neither: it is what the tool in front of the gateway will do with
# the answer. So the four attempts below, their order and their quirks are aider's, including that a block that would
# leave an empty file does not apply. (aider's fifth attempt, by edit distance, is switched off there, and so here.)
# Invariant: if an attempt succeeds, no later one is tried, and exactly one place of the file has changed, except that
# elided pieces (`...`) change one place each.


def replace_lines(whole: str, search: str, replace: str) -> str | None:
    """Return `whole` with the first match of `search` replaced; None if nothing matches or the result is empty.

    Attempts in turn: the exact lines; the lines with one and the same extra indentation; both again without a blank
    first line; the pieces between lines of `...`, each of which must occur exactly once.
    """
    whole_lines, search_lines, replace_lines = split_lines(whole), split_lines(search), split_lines(replace)
    attempts = [search_lines]
    if len(search_lines) >= _MIN_LINES_TO_DROP_ONE and not search_lines[0].strip():
        attempts.append(search_lines[1:])
    for attempt in attempts:
        found = _replace_exact(whole_lines, attempt, replace_lines) or _replace_indented(
            whole_lines, attempt, replace_lines
        )
        if found:
            return found
    return _replace_elided("".join(whole_lines), "".join(search_lines), "".join(replace_lines)) or None


def unwrap(text: str, path: str, fence: Fence) -> str | None:
    """Return one side of a block without a file name and a fence that a model put inside; None if nothing is left."""
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


def _replace_exact(whole: Lines, search: Lines, replace: Lines) -> str | None:
    start = _find_position(whole, search, lambda lines: list(lines) == list(search))
    return None if start is None else "".join([*whole[:start], *replace, *whole[start + len(search) :]])


def _replace_indented(whole: Lines, search: Lines, replace: Lines) -> str | None:
    """Replace lines that all have the same extra indentation, and give it to the new lines too."""
    search, replace = _remove_margin(search, replace)
    bare = [line.lstrip() for line in search]
    start = _find_position(whole, bare, lambda lines: _common_indentation(lines, search) is not None, key=str.lstrip)
    if start is None:
        return None
    indentation = _common_indentation(whole[start : start + len(search)], search) or ""
    indented = [indentation + line if line.strip() else line for line in replace]
    return "".join([*whole[:start], *indented, *whole[start + len(search) :]])


def _remove_margin(search: Lines, replace: Lines) -> tuple[Lines, Lines]:
    margins = [len(line) - len(line.lstrip()) for line in (*search, *replace) if line.strip()]
    margin = min(margins, default=0)
    if not margin:
        return search, replace
    sides = ([line[margin:] if line.strip() else line for line in side] for side in (search, replace))
    return next(sides), next(sides)


def _common_indentation(lines: Lines, search: Lines) -> str | None:
    """Return the extra indentation of the lines over those searched for; None if it is not the same for all."""
    if any(line.lstrip() != wanted.lstrip() for line, wanted in zip(lines, search, strict=True)):
        return None
    added = {line[: len(line) - len(wanted)] for line, wanted in zip(lines, search, strict=True) if line.strip()}
    return added.pop() if len(added) == 1 else None


def _find_position(
    whole: Lines, search: Lines, matches: Callable[[Lines], bool], key: Callable[[str], str] = str
) -> int | None:
    """Return the first position at which `matches` holds, trying only lines with the key of the first of `search`."""
    size = len(search)
    if not size:
        return None
    starts = (start for start in range(len(whole) - size + 1) if key(whole[start]) == search[0])
    return next((start for start in starts if matches(whole[start : start + size])), None)


def _replace_elided(whole: str, search: str, replace: str) -> str | None:
    if "...\n" not in search:  # the pattern is slow to find that out
        return None
    searched, new = _ELISION.split(search), _ELISION.split(replace)
    if len(searched) == 1 or len(searched) != len(new) or searched[1::2] != new[1::2]:
        return None
    for old_piece, new_piece in zip(searched[::2], new[::2], strict=True):
        if old_piece:
            if whole.count(old_piece) != 1:
                return None
            whole = whole.replace(old_piece, new_piece, 1)
        else:
            whole += new_piece
    return whole
