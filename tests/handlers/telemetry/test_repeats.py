"""Log lines that repeat are summed up."""

from collections.abc import Mapping
from typing import Any

from handlers.telemetry.repeats import INTERVAL_S, MAX_KINDS, Repeats
from tests.upstream.clocks import Clock


def written() -> tuple[Repeats, list[tuple[str, int]], Clock]:
    lines: list[tuple[str, int]] = []

    def write(kind: str, count: int, _: Mapping[str, Any]) -> None:
        lines.append((kind, count))

    clock = Clock()
    return Repeats(write, clock), lines, clock


def test_the_first_is_written_and_the_rest_are_counted() -> None:
    """One line at once, one for each interval after it, and none without an event."""
    repeats, lines, clock = written()
    for _ in range(1000):
        repeats.report("emfile")
    assert lines == [("emfile", 1)]
    repeats.flush()
    clock.now += INTERVAL_S
    repeats.flush()
    repeats.flush()
    assert lines == [("emfile", 1), ("emfile", 999)]
    clock.now += 10 * INTERVAL_S
    repeats.report("emfile")
    assert lines[-1] == ("emfile", 1)


def test_each_kind_is_counted_separately() -> None:
    """A flood of one kind hides no other."""
    repeats, lines, _ = written()
    for _ in range(10):
        repeats.report("a")
    repeats.report("b")
    assert lines == [("a", 1), ("b", 1)]


def test_too_many_kinds_are_one() -> None:
    """Memory stays bounded if a kind should depend on a client's bytes."""
    repeats, lines, _ = written()
    for n in range(10 * MAX_KINDS):
        repeats.report(str(n))
    assert len(lines) == MAX_KINDS + 1
    assert lines[-1] == ("other", 1)


def test_no_event_is_lost() -> None:
    """The counts of all lines add up to the events."""
    repeats, lines, clock = written()
    for n in range(500):
        repeats.report("x")
        clock.now += n % 7
    clock.now += INTERVAL_S
    repeats.flush()
    assert sum(count for _, count in lines) == 500
