"""Progress of an installation: a bar on a terminal, single lines elsewhere."""

from collections.abc import Callable
from typing import TextIO

from upstream.embedded.transfer import Transfer

Progress = Callable[[str, Transfer], None]

_BAR_CHARS = 16
_LINE_EVERY_PERCENT = 10


def bar(stream: TextIO) -> Progress:
    """Return a callback (name, state of the download) that redraws a bar in one line of a terminal."""

    def draw(name: str, transfer: Transfer) -> None:
        filled = _BAR_CHARS * transfer.done // transfer.total
        blocks = "█" * filled + "░" * (_BAR_CHARS - filled)
        end = "\n" if transfer.done >= transfer.total else "\r"  # other output starts at the beginning of this line
        megabytes = f"{transfer.done // 10**6} of {transfer.total // 10**6} MB"
        stream.write(f"  {name} {blocks} {megabytes}{transfer.describe()}\033[K{end}")
        stream.flush()

    return draw


def lines(stream: TextIO) -> Progress:
    """Return a callback (name, state of the download) that writes a line for every tenth and every step."""
    shown: dict[str, tuple[int, str]] = {}

    def write(name: str, transfer: Transfer) -> None:
        tenth = transfer.percent // _LINE_EVERY_PERCENT
        if shown.get(name) != (tenth, transfer.step):
            shown[name] = tenth, transfer.step
            megabytes = f"{tenth * _LINE_EVERY_PERCENT} % of {transfer.total // 10**6} MB"
            stream.write(f"{name}: installing, {megabytes}{transfer.describe()}\n")
            stream.flush()

    return write
