"""The progress of an installation: a bar on a terminal, a line now and then elsewhere."""

from collections.abc import Callable
from typing import TextIO

Progress = Callable[[str, int, int], None]

_BAR_CHARS = 30
_LINE_EVERY_PERCENT = 10


def bar(stream: TextIO) -> Progress:
    """Return what draws a bar for (name, bytes there, bytes in all) over and over in one line."""

    def draw(name: str, done: int, total: int) -> None:
        filled = _BAR_CHARS * done // total
        blocks = "█" * filled + "░" * (_BAR_CHARS - filled)
        end = "\n" if done >= total else "\r"  # what else is printed meanwhile begins at the line's own beginning
        stream.write(f"  {name} {blocks} {done // 10**6} of {total // 10**6} MB\033[K{end}")
        stream.flush()

    return draw


def lines(stream: TextIO) -> Progress:
    """Return what writes a line for every tenth of (name, bytes there, bytes in all)."""
    told: dict[str, int] = {}

    def tell(name: str, done: int, total: int) -> None:
        tenth = 100 * done // total // _LINE_EVERY_PERCENT
        if told.get(name) != tenth:
            told[name] = tenth
            stream.write(f"{name}: installing, {tenth * _LINE_EVERY_PERCENT} % of {total // 10**6} MB\n")
            stream.flush()

    return tell
