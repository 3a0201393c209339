"""Every attempt of a request on one time axis. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any, Literal

from handlers.ui.words import seconds, spoken

_WIDTH = 100.0
_LEAST_WIDTH = 0.25
_LEAST_SPAN_S = 0.001
_MAX_TICKS = 6
_LAST_LABEL = 96.0
_SIGNS = {"good": "✓", "bad": "✕", "idle": "⊘"}
_UNDECIDED = ("cancelled", "running", "")


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time, in percent of the axis.

    `kind` is `track` (the call), `waiting` (until the first byte) or `receiving`.
    """

    x: float
    width: float
    kind: Literal["track", "waiting", "receiving"]


@dataclass(frozen=True, slots=True)
class Lane:
    """One line of the waterfall: a call, or one of its attempts where it has several. Instants are seconds.

    `tone` is `good`, `bad`, or `idle` for what was given up before it could be either.
    """

    model: str
    role: str
    attempt: str
    outcome: str
    tone: str
    cause: str
    started_s: float | None
    took_s: float | None
    first_byte_s: float | None
    bars: Sequence[Bar]

    @property
    def sign(self) -> str:
        """The tone for those who see no colours."""
        return _SIGNS[self.tone]

    @property
    def is_attempt(self) -> bool:
        """Whether the lane is one of several attempts, below its call's own."""
        return bool(self.attempt)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis, in percent of it; `label` is empty where it would not fit."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The lanes in the order in which their calls began. `settled_x` is where the panel had settled, in percent."""

    lanes: Sequence[Lane]
    ticks: Sequence[Tick]
    settled_x: float | None
    summary: str


def waterfall(trace: Mapping[str, Any]) -> Waterfall:
    """Return the waterfall of a trace."""
    calls = sorted(trace["calls"], key=lambda call: call["started_s"] or 0.0)
    axis = _Axis(_span(trace))
    lanes = [lane for call in calls for lane in _lanes(call, axis)]
    settled_s = trace["timings"]["panel_s"] if any(call["role"] == "proposer" for call in calls) else None
    settled_x = None if settled_s is None else axis.x(settled_s)
    return Waterfall(lanes, list(_ticks(axis)), settled_x, _summary(calls, axis.span_s))


@dataclass(frozen=True, slots=True)
class _Axis:
    span_s: float

    def x(self, instant: float) -> float:
        return round(min(max(instant, 0.0) / self.span_s, 1.0) * _WIDTH, 2)

    def bar(self, start: float | None, end: float | None, kind: Literal["track", "waiting", "receiving"]) -> Bar:
        x = self.x(start or 0.0)
        width = self.x(self.span_s if end is None else end) - x
        return Bar(min(x, _WIDTH - _LEAST_WIDTH), round(max(width, _LEAST_WIDTH), 2), kind)


def _span(trace: Mapping[str, Any]) -> float:
    ends = [call["ended_s"] or 0.0 for call in trace["calls"]]
    return float(max([_LEAST_SPAN_S, trace["timings"]["total_s"] or 0.0, *ends]))


def _lanes(call: Mapping[str, Any], axis: _Axis) -> Iterator[Lane]:
    attempts = call["attempts"]
    track = [] if call["started_s"] is None else [axis.bar(call["started_s"], call["ended_s"], "track")]
    if len(attempts) == 1:
        yield _lane(call, {**attempts[0], "outcome": call["outcome"]}, "", [*track, *_bars(attempts[0], axis)], call)
        return
    yield _lane(call, {"message": "", **call}, "", track, call)
    for number, attempt in enumerate(attempts, 1):
        name = f"attempt {number}" + (", hedge" if attempt["hedge"] else "")
        yield _lane(call, attempt, name, _bars(attempt, axis), attempt)


def _bars(attempt: Mapping[str, Any], axis: _Axis) -> list[Bar]:
    start, first, end = attempt["started_s"], attempt["first_byte_s"], attempt["ended_s"]
    if first is None:
        return [axis.bar(start, end, "waiting")]
    return [axis.bar(start, first, "waiting"), axis.bar(first, end, "receiving")]


def _lane(
    call: Mapping[str, Any], came: Mapping[str, Any], attempt: str, bars: Sequence[Bar], timed: Mapping[str, Any]
) -> Lane:
    start, end = timed["started_s"], timed["ended_s"]
    first = came.get("first_byte_s")
    outcome = str(came["outcome"])
    status = came.get("status")
    told = spoken(outcome) + (f" {status}" if status and outcome != "ok" else "")
    return Lane(
        model=call["model"],
        role=call["role"],
        attempt=attempt,
        outcome=told,
        tone="good" if outcome == "ok" else "idle" if outcome in _UNDECIDED else "bad",
        cause=str(came.get("message") or ""),
        started_s=start,
        took_s=None if start is None or end is None else end - start,
        first_byte_s=None if first is None or came.get("started_s") is None else first - came["started_s"],
        bars=bars,
    )


def _ticks(axis: _Axis) -> Iterator[Tick]:
    """Yield marks at round instants: multiples of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(axis.span_s))
    steps = (power / 5, power / 2, power, power * 2)
    step = next(step for step in steps if axis.span_s / step <= _MAX_TICKS)
    for n in range(int(axis.span_s / step) + 1):
        x = axis.x(n * step)
        yield Tick(x, "" if x > _LAST_LABEL else f"{n * step:g} s" if n else "0")


def _summary(calls: Sequence[Mapping[str, Any]], span_s: float) -> str:
    """Return in words what the picture shows at a glance."""
    n_attempts = sum(len(call["attempts"]) for call in calls)
    n_hedges = sum(attempt["hedge"] for call in calls for attempt in call["attempts"])
    n_failed = sum(call["outcome"] not in ("ok", *_UNDECIDED) for call in calls)
    n_cancelled = sum(call["outcome"] == "cancelled" for call in calls)
    facts = [(n_hedges, "hedged"), (n_failed, "failed"), (n_cancelled, "cancelled")]
    told = ", ".join(f"{n} {word}" for n, word in facts if n)
    begin = f"{_counted(len(calls), 'call')}, {_counted(n_attempts, 'attempt')} in {seconds(span_s)}"
    return f"{begin}; {told}" if told else begin


def _counted(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
