"""Rate limit for log lines of one kind: the first is written at once, the rest are counted and summed up."""

from collections.abc import Callable, Mapping
from typing import Any

INTERVAL_S = 60.0
MAX_KINDS = 64


class Repeats:
    """Writes the first event of each kind, and then one line with a count for each `INTERVAL_S`.

    `write` gets the kind, the number of events that the line stands for, and further fields. Kinds should be a small
    set; beyond MAX_KINDS they are counted as `other`. Call `flush` now and then, so that a count is not kept back.
    """

    def __init__(self, write: Callable[[str, int, Mapping[str, Any]], None], clock: Callable[[], float]) -> None:
        self._write = write
        self._clock = clock
        self._next: dict[str, float] = {}
        self._held_back: dict[str, tuple[int, Mapping[str, Any]]] = {}

    def report(self, kind: str, **facts: Any) -> None:
        """Write a line for an event, or count it if one of its kind was written lately."""
        if kind not in self._next and len(self._next) >= MAX_KINDS:
            kind = "other"
        if self._clock() < self._next.get(kind, 0.0):
            self._held_back[kind] = (self._held_back.get(kind, (0, facts))[0] + 1, facts)
            return
        count, _ = self._held_back.pop(kind, (0, facts))
        self._next[kind] = self._clock() + INTERVAL_S
        self._write(kind, count + 1, facts)

    def flush(self) -> None:
        """Write the counts whose interval is over."""
        now = self._clock()
        for kind in [kind for kind in self._held_back if now >= self._next[kind]]:
            count, facts = self._held_back.pop(kind)
            self._next[kind] = now + INTERVAL_S
            self._write(kind, count, facts)
