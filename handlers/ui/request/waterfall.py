"""Every attempt of a request on one time axis. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import floor, log10
from typing import Literal

from handlers.traces.schema import Attempt, Call, Trace
from handlers.ui.formats import format_seconds, format_word

_WIDTH = 100.0
_MIN_WIDTH = 0.25
_MIN_SPAN_S = 0.001
_MAX_TICKS = 6
_LAST_LABEL = 96.0
_SIGNS = {"good": "✓", "bad": "✕", "idle": "⊘"}
_UNDECIDED = ("cancelled", "running", "")

Kind = Literal["track", "waiting", "receiving"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time, in percent of the axis: the whole call (`track`), until the first byte, or from there on."""

    x: float
    width: float
    kind: Kind


@dataclass(frozen=True, slots=True)
class Lane:
    """One line of the waterfall: a call, or one attempt of a call that has several. Instants are in seconds.

    `tone` is `good`, `bad`, or `idle` if it was given up before it could be either.
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
    order: str = ""

    @property
    def sign(self) -> str:
        """The tone as a sign, for readers who do not see colours."""
        return _SIGNS[self.tone]

    @property
    def is_attempt(self) -> bool:
        """Whether the lane is one of several attempts, below the lane of their call."""
        return bool(self.attempt)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis, in percent of it; `label` is empty if there is no room for it."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The lanes in the order in which their calls began; `settled_x` is when the panel settled, in percent."""

    lanes: Sequence[Lane]
    ticks: Sequence[Tick]
    settled_x: float | None
    summary: str


def build_waterfall(trace: Trace, orders: Sequence[str] = ()) -> Waterfall:
    """Return the waterfall of a trace; `orders` name the order in which each call read the candidates, or ""."""
    pairs = list(zip(trace.calls, orders or [""] * len(trace.calls), strict=True))
    pairs.sort(key=lambda pair: pair[0].started_s or 0.0)
    calls = [call for call, _ in pairs]
    axis = _Axis(_span(trace))
    lanes = [replace(lane, order=order) for call, order in pairs for lane in _lanes(call, axis)]
    settled_s = trace.timings.panel_s if any(call.role == "proposer" for call in calls) else None
    settled_x = None if settled_s is None else axis.x(settled_s)
    return Waterfall(lanes, list(_ticks(axis)), settled_x, _summarize(calls, axis.span_s))


@dataclass(frozen=True, slots=True)
class _Axis:
    span_s: float

    def x(self, instant: float) -> float:
        return round(min(max(instant, 0.0) / self.span_s, 1.0) * _WIDTH, 2)

    def bar(self, start: float | None, end: float | None, kind: Kind) -> Bar:
        x = self.x(start or 0.0)
        width = self.x(self.span_s if end is None else end) - x
        return Bar(min(x, _WIDTH - _MIN_WIDTH), round(max(width, _MIN_WIDTH), 2), kind)


def _span(trace: Trace) -> float:
    ends = [call.ended_s or 0.0 for call in trace.calls]
    return max(_MIN_SPAN_S, trace.timings.total_s or 0.0, *ends)


def _lanes(call: Call, axis: _Axis) -> Iterator[Lane]:
    track = [] if call.started_s is None else [axis.bar(call.started_s, call.ended_s, "track")]
    if len(call.attempts) == 1:
        (attempt,) = call.attempts
        yield _lane(call, call, attempt, [*track, *_bars(attempt, axis)])
        return
    yield _lane(call, call, None, track)
    for number, attempt in enumerate(call.attempts, 1):
        name = f"attempt {number}" + (", hedge" if attempt.hedge else "")
        yield _lane(call, attempt, attempt, _bars(attempt, axis), name)


def _bars(attempt: Attempt, axis: _Axis) -> list[Bar]:
    start, first, end = attempt.started_s, attempt.first_byte_s, attempt.ended_s
    if first is None:
        return [axis.bar(start, end, "waiting")]
    return [axis.bar(start, first, "waiting"), axis.bar(first, end, "receiving")]


def _lane(call: Call, timed: Call | Attempt, attempt: Attempt | None, bars: Sequence[Bar], name: str = "") -> Lane:
    """Return a lane with the times and the outcome of `timed`, and the status and cause of `attempt`."""
    start, end, outcome = timed.started_s, timed.ended_s, timed.outcome
    status = "" if attempt is None or not attempt.status or outcome == "ok" else f" {attempt.status}"
    return Lane(
        model=call.model,
        role=call.role,
        attempt=name,
        outcome=format_word(outcome) + status,
        tone="good" if outcome == "ok" else "idle" if outcome in _UNDECIDED else "bad",
        cause=(attempt.message or "") if attempt else "",
        started_s=start,
        took_s=None if start is None or end is None else end - start,
        first_byte_s=None if attempt is None else _first_byte_s(attempt),
        bars=bars,
    )


def _first_byte_s(attempt: Attempt) -> float | None:
    start, first = attempt.started_s, attempt.first_byte_s
    return None if start is None or first is None else first - start


def _ticks(axis: _Axis) -> Iterator[Tick]:
    """Yield marks at round instants: multiples of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(axis.span_s))
    steps = (power / 5, power / 2, power, power * 2)
    step = next(step for step in steps if axis.span_s / step <= _MAX_TICKS)
    for n in range(int(axis.span_s / step) + 1):
        x = axis.x(n * step)
        yield Tick(x, "" if x > _LAST_LABEL else f"{n * step:g} s" if n else "0")


def _summarize(calls: Sequence[Call], span_s: float) -> str:
    """Return a text alternative of the waterfall."""
    n_attempts = sum(len(call.attempts) for call in calls)
    n_hedges = sum(attempt.hedge for call in calls for attempt in call.attempts)
    n_failed = sum(call.outcome not in ("ok", *_UNDECIDED) for call in calls)
    n_cancelled = sum(call.outcome == "cancelled" for call in calls)
    facts = [(n_hedges, "hedged"), (n_failed, "failed"), (n_cancelled, "cancelled")]
    details = ", ".join(f"{n} {word}" for n, word in facts if n)
    summary = f"{_count(len(calls), 'call')}, {_count(n_attempts, 'attempt')} in {format_seconds(span_s)}"
    return f"{summary}; {details}" if details else summary


def _count(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
