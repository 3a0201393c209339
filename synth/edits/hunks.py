"""One edit of an answer as a thing of its own, and what the edits of an answer come to. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Region(NamedTuple):
    """Lines of a file as it was shown: from `start`, counted from 0, up to but without `end`. Empty: before `start`."""

    start: int
    end: int

    def overlaps(self, other: "Region") -> bool:
        """Whether the two share a line, or begin at the same one."""
        return self.start == other.start or (self.start < other.end and other.start < self.end)


@dataclass(frozen=True, slots=True)
class Hunk:
    """One edit.

    `index` counts within the answer, from 0. `path` is the file that it lands in. `region` is what it changes there;
    None for the file as a whole, and where the edit only applies after others of its answer. `text` is its source,
    verbatim. `lead` and `tail` are what must stand around that text where it is taken out of its answer: a file name
    that was said before, a fence that holds several edits.
    """

    index: int
    path: str
    region: Region | None
    text: str
    lead: str = ""
    tail: str = ""


@dataclass(slots=True)
class Draft:
    """What the edits of one answer come to, while they are applied one by one."""

    files: dict[str, str]
    findings: list[str] = field(default_factory=list)
    hunks: list[Hunk] = field(default_factory=list)

    @classmethod
    def of(cls, files: Mapping[str, str]) -> "Draft":
        """Return a draft in which nothing has been edited yet."""
        return cls(dict(files))


class MalformedError(ValueError):
    """An answer whose edits cannot be told apart, so that the tool would apply none of them. Its text is a finding."""


def touched(before: str | None, after: str | None) -> Region | None:
    """Return the lines of `before` that differ in `after`; None where there was no file, or none is left."""
    if before is None or after is None:
        return None
    old, new = before.splitlines(), after.splitlines()
    shorter = min(len(old), len(new))
    head = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    tail = next((n for n in range(shorter - head) if old[-1 - n] != new[-1 - n]), shorter - head)
    return Region(head, len(old) - tail)
