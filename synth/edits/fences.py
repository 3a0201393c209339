"""The fences around files and edit blocks, and the lines of a text as aider counts them. Pure."""

from typing import NamedTuple

TICKS = "```"


class Fence(NamedTuple):
    """The lines that open and close a block."""

    opening: str
    closing: str

    def starts(self, line: str) -> bool:
        """Whether a line opens a block: with this fence, or with the backticks that models fall back to."""
        return line.startswith((self.opening, TICKS))

    def ends(self, line: str) -> bool:
        """Whether a line closes a block: with this fence, or with the backticks that models fall back to."""
        return line.startswith((self.closing, TICKS))


# The tool chooses the first fence that begins no line of its files.
FENCES = (
    Fence(TICKS, TICKS),
    Fence("````", "````"),
    *(Fence(f"<{tag}>", f"</{tag}>") for tag in ("source", "code", "pre", "codeblock", "sourcecode")),
)


def split_lines(text: str) -> list[str]:
    """Return the lines of a text with their ends; the last line gets one if it has none."""
    if text and not text.endswith("\n"):
        text += "\n"
    return text.splitlines(keepends=True)
