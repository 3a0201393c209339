"""Finding the lines that an edit block searches for, as leniently as aider does and no more so. Pure."""

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from synth.edits.fences import Fence, lines_of

_ELISION = re.compile(r"(^\s*\.\.\.\n)", re.MULTILINE)
_MIN_LINES_TO_DROP_ONE = 3

Lines = Sequence[str]


def replaced(whole: str, search: str, replace: str) -> str | None:
    """Return `whole` with the first match of `search` replaced; None where there is no match, or nothing is left.

    In turn: the exact lines; the lines but for a leading indentation that all of them lack alike; both without a blank
    first line; the pieces between lines of `...`, each of which must occur exactly once.
    """
    whole_lines, search_lines, replace_lines = lines_of(whole), lines_of(search), lines_of(replace)
    attempts = [search_lines]
    if len(search_lines) >= _MIN_LINES_TO_DROP_ONE and not search_lines[0].strip():
        attempts.append(search_lines[1:])
    for attempt in attempts:
        found = _exact(whole_lines, attempt, replace_lines) or _shifted(whole_lines, attempt, replace_lines)
        if found:
            return found
    return _elided("".join(whole_lines), "".join(search_lines), "".join(replace_lines)) or None


def unwrapped(text: str, path: str, fence: Fence) -> str | None:
    """Return one side of a block without a file name and a fence that a model put inside; None if that was all."""
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


def _exact(whole: Lines, search: Lines, replace: Lines) -> str | None:
    start = _position(whole, search, lambda lines: list(lines) == list(search))
    return None if start is None else "".join([*whole[:start], *replace, *whole[start + len(search) :]])


def _shifted(whole: Lines, search: Lines, replace: Lines) -> str | None:
    """Replace lines that differ by one and the same leading white space, which the new lines then get too."""
    search, replace = _outdented(search, replace)
    bare = [line.lstrip() for line in search]
    start = _position(whole, bare, lambda lines: _indentation(lines, search) is not None, key=str.lstrip)
    if start is None:
        return None
    indentation = _indentation(whole[start : start + len(search)], search) or ""
    indented = [indentation + line if line.strip() else line for line in replace]
    return "".join([*whole[:start], *indented, *whole[start + len(search) :]])


def _outdented(search: Lines, replace: Lines) -> tuple[Lines, Lines]:
    margins = [len(line) - len(line.lstrip()) for line in (*search, *replace) if line.strip()]
    margin = min(margins, default=0)
    if not margin:
        return search, replace
    sides = ([line[margin:] if line.strip() else line for line in side] for side in (search, replace))
    return next(sides), next(sides)


def _indentation(lines: Lines, search: Lines) -> str | None:
    """Return what each line has before the line searched for, None where that is not the same for all."""
    if any(line.lstrip() != wanted.lstrip() for line, wanted in zip(lines, search, strict=True)):
        return None
    added = {line[: len(line) - len(wanted)] for line, wanted in zip(lines, search, strict=True) if line.strip()}
    return added.pop() if len(added) == 1 else None


def _position(
    whole: Lines, search: Lines, matches: Callable[[Lines], bool], key: Callable[[str], str] = str
) -> int | None:
    """Return where as many lines as in `search` match; their first line is compared by its key, to be quick."""
    size = len(search)
    if not size:
        return None
    starts = (start for start in range(len(whole) - size + 1) if key(whole[start]) == search[0])
    return next((start for start in starts if matches(whole[start : start + size])), None)


def _elided(whole: str, search: str, replace: str) -> str | None:
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
