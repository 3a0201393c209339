"""Columns of text, with colours where a terminal shows them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Colour = Literal["", "green", "red", "yellow", "bold", "dim"]
_CODES = {"green": "32", "red": "31", "yellow": "33", "bold": "1", "dim": "2"}
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Cell:
    """A text, and how it is shown where colours are."""

    text: str
    colour: Colour = ""


def painted(text: str, colour: Colour, *, colours: bool) -> str:
    """Return a text in a colour of the terminal, or as it is."""
    return f"\033[{_CODES[colour]}m{text}\033[0m" if colours and colour else text


def table(heads: Sequence[str], rows: Sequence[Sequence[Cell]], *, colours: bool) -> list[str]:
    """Return the lines of a table: each column as wide as its widest cell, the last one as it comes."""
    lines = [[Cell(head, "bold") for head in heads], *rows]
    widths = [max(len(line[column].text) for line in lines) for column in range(len(heads))]
    return [_line(line, widths, colours=colours) for line in lines]


def _line(cells: Sequence[Cell], widths: Sequence[int], *, colours: bool) -> str:
    padding = [" " * (width - len(cell.text)) for cell, width in zip(cells, widths, strict=True)]
    shown = [painted(cell.text, cell.colour, colours=colours) for cell in cells]
    return _GAP.join(text + spaces for text, spaces in zip(shown, padding, strict=True)).rstrip()
