"""The fences that stand around files and blocks, and lines as aider counts them. Pure."""

from typing import NamedTuple

TICKS = "```"


class Fence(NamedTuple):
    """What opens a block, and what closes it."""

    opening: str
    closing: str

    def starts(self, line: str) -> bool:
        """Whether a line begins a block: with this fence, or with the one that models fall back to."""
        return line.startswith((self.opening, TICKS))

    def ends(self, line: str) -> bool:
        """Whether a line ends a block: with this fence, or with the one that models fall back to."""
        return line.startswith((self.closing, TICKS))


# The tool takes the first that no line of its files begins with.
FENCES = (
    Fence(TICKS, TICKS),
    Fence("````", "````"),
    *(Fence(f"<{tag}>", f"</{tag}>") for tag in ("source", "code", "pre", "codeblock", "sourcecode")),
)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, each with its end, the last one's added where it lacks."""
    if text and not text.endswith("\n"):
        text += "\n"
    return text.splitlines(keepends=True)
