"""Progress of an installation: a bar on a terminal, single lines elsewhere."""

from collections.abc import Callable
from typing import TextIO

Progress = Callable[[str, int, int], None]

_BAR_CHARS = 30
_LINE_EVERY_PERCENT = 10


def bar(stream: TextIO) -> Progress:
    """Return a callback (name, bytes done, bytes total) that redraws a bar in one line."""

    def draw(name: str, done: int, total: int) -> None:
        filled = _BAR_CHARS * done // total
        blocks = "█" * filled + "░" * (_BAR_CHARS - filled)
        end = "\n" if done >= total else "\r"  # other output starts at the beginning of this line
        stream.write(f"  {name} {blocks} {done // 10**6} of {total // 10**6} MB\033[K{end}")
        stream.flush()

    return draw


def lines(stream: TextIO) -> Progress:
    """Return a callback (name, bytes done, bytes total) that writes a line for every tenth."""
    shown: dict[str, int] = {}

    def write(name: str, done: int, total: int) -> None:
        tenth = 100 * done // total // _LINE_EVERY_PERCENT
        if shown.get(name) != tenth:
            shown[name] = tenth
            stream.write(f"{name}: installing, {tenth * _LINE_EVERY_PERCENT} % of {total // 10**6} MB\n")
            stream.flush()

    return write
