"""One edit of an answer, and the result of applying several. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from runtime.budget import Budget


class Region(NamedTuple):
    """Lines of a file as it was shown: from `start`, counted from 0, up to `end`, exclusive. Empty: before `start`."""

    start: int
    end: int

    def overlaps(self, other: "Region") -> bool:
        """Whether the two share a line, or begin at the same one."""
        return self.start == other.start or (self.start < other.end and other.start < self.end)


@dataclass(frozen=True, slots=True)
class Hunk:
    """One edit.

    `index` counts the hunks of the answer from 0. `path` is the file that the hunk changes, and `region` the lines; it
    is None for the whole file, and if the hunk only applies after other hunks. `text` is the source, verbatim.
    `lead` and `tail` must stand around the text if it is moved to another answer: a file name that stood further above,
    or a fence that holds several hunks.
    """

    index: int
    path: str
    region: Region | None
    text: str
    lead: str = ""
    tail: str = ""


@dataclass(slots=True)
class EditResult:
    """The files while an answer's hunks are applied one by one, with the findings and hunks so far."""

    files: dict[str, str]
    findings: list[str] = field(default_factory=list)
    hunks: list[Hunk] = field(default_factory=list)

    @classmethod
    def of(cls, files: Mapping[str, str]) -> "EditResult":
        """Return a result with nothing edited yet."""
        return cls(dict(files))


class MalformedError(ValueError):
    """The answer's edits cannot be parsed, so the tool would apply none of them. The message is a finding."""


def changed_region(before: str | None, after: str | None, budget: Budget) -> Region | None:
    """Return the lines of `before` that differ in `after`, or None if either file does not exist."""
    if before is None or after is None:
        return None
    budget.spend_chars(len(before) + len(after))
    old, new = before.splitlines(), after.splitlines()
    shorter = min(len(old), len(new))
    budget.spend(len(old) + len(new))
    head = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    tail = next((n for n in range(shorter - head) if old[-1 - n] != new[-1 - n]), shorter - head)
    return Region(head, len(old) - tail)
