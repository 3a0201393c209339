"""Tables of text, with colours for terminals. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Colour = Literal["", "green", "red", "yellow", "bold", "dim"]
_CODES = {"green": "32", "red": "31", "yellow": "33", "bold": "1", "dim": "2"}
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and its colour, if colours are on."""

    text: str
    colour: Colour = ""


def paint(text: str, colour: Colour, *, colours: bool) -> str:
    """Return a text with the escape codes of a colour, or unchanged if colours are off."""
    return f"\033[{_CODES[colour]}m{text}\033[0m" if colours and colour else text


def format_table(heads: Sequence[str], rows: Sequence[Sequence[Cell]], *, colours: bool) -> list[str]:
    """Return the lines of a table; each column is as wide as its widest cell."""
    lines = [[Cell(head, "bold") for head in heads], *rows]
    widths = [max(len(line[column].text) for line in lines) for column in range(len(heads))]
    return [_format_row(line, widths, colours=colours) for line in lines]


def _format_row(cells: Sequence[Cell], widths: Sequence[int], *, colours: bool) -> str:
    padding = [" " * (width - len(cell.text)) for cell, width in zip(cells, widths, strict=True)]
    shown = [paint(cell.text, cell.colour, colours=colours) for cell in cells]
    return _GAP.join(text + spaces for text, spaces in zip(shown, padding, strict=True)).rstrip()
