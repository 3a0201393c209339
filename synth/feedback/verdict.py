"""Verdicts on answers, and the signals that they follow from."""

from enum import IntEnum, StrEnum

from runtime.frozen import frozen


class Verdict(IntEnum):
    """Whether an answer was right. A final verdict replaces a provisional one, and is never replaced."""

    NONE = 0
    SEEMS_RIGHT = 1  # its edit was applied; running it showed no error
    SEEMS_WRONG = 2
    RIGHT = 3
    WRONG = 4

    @property
    def is_final(self) -> bool:
        """Whether later news cannot change it."""
        return self >= Verdict.RIGHT

    @property
    def is_right(self) -> bool | None:
        """Whether it counts for the answer's authors (True) or against them (False), or None if neither."""
        return None if self is Verdict.NONE else self in (Verdict.SEEMS_RIGHT, Verdict.RIGHT)


class Signal(StrEnum):
    """The source of a verdict."""

    EDIT_APPLIED = "edit applied"
    EDIT_FAILED = "edit failed"
    LINTER = "linter or compiler"
    TESTS = "tests"
    TOOL_ERROR = "tool error"
    USER = "user"
    EVIDENCE = "evidence"


@frozen
class Reading:
    """One sign that an answer was right or wrong."""

    verdict: Verdict
    signal: Signal


def worst(readings: list[Reading]) -> Reading | None:
    """Return the reading that decides among several on one answer: a failure before a success, final ones first."""
    order = (Verdict.WRONG, Verdict.SEEMS_WRONG, Verdict.RIGHT, Verdict.SEEMS_RIGHT)
    return min(readings, key=lambda each: order.index(each.verdict), default=None)
