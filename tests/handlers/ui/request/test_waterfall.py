"""Attempts on one time axis."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from handlers.traces.as_json import decode_trace
from handlers.traces.schema import Trace
from handlers.ui.request.waterfall import build_waterfall

INSTANTS = st.none() | st.floats(0, 1000)
ATTEMPTS = st.fixed_dictionaries(
    {
        "outcome": st.sampled_from(["ok", "timeout", "cancelled"]),
        "hedge": st.booleans(),
        "started_s": INSTANTS,
        "first_byte_s": INSTANTS,
        "ended_s": INSTANTS,
    }
)
CALLS = st.fixed_dictionaries(
    {
        "model": st.just("a"),
        "role": st.sampled_from(["proposer", "critic"]),
        "outcome": st.sampled_from(["ok", "timeout", "cancelled", "running"]),
        "started_s": INSTANTS,
        "ended_s": INSTANTS,
        "attempts": st.lists(ATTEMPTS, max_size=3),
    }
)


def trace(*calls: Any, total_s: float | None = 2.0, panel_s: float | None = None) -> Trace:
    timings = {"total_s": total_s, "panel_s": panel_s}
    return decode_trace(json.dumps({"id": "chatcmpl-1", "calls": calls, "timings": timings}))


def attempt(outcome: str = "ok", started_s: float = 0.0, ended_s: float | None = 1.0, **fields: Any) -> dict[str, Any]:
    return {"outcome": outcome, "started_s": started_s, "ended_s": ended_s, **fields}


def call(*attempts: Any, outcome: str = "ok", **fields: Any) -> dict[str, Any]:
    times = {"started_s": 0.0, "ended_s": 1.0}
    return {"model": "a", "role": "proposer", "outcome": outcome, "attempts": attempts, **times, **fields}


@given(st.lists(CALLS, max_size=4), st.none() | st.floats(0, 1e4))
def test_everything_lies_on_the_axis(calls: list[Any], total_s: float | None) -> None:
    """Bars and ticks, even if instants are missing or out of order."""
    made = build_waterfall(trace(*calls, total_s=total_s))
    for bar in (bar for lane in made.lanes for bar in lane.bars):
        assert 0 <= bar.x <= 100
        assert bar.width > 0
    assert all(0 <= tick.x <= 100 for tick in made.ticks)
    assert 2 <= len(made.ticks) <= 7


def test_several_attempts_have_a_lane_each() -> None:
    """Below the lane of their call; a hedge is marked."""
    first = attempt("server_error", 0.0, 0.5, status=500, message="down")
    lanes = build_waterfall(trace(call(first, attempt(started_s=0.6, hedge=True)))).lanes
    assert [lane.attempt for lane in lanes] == ["", "attempt 1", "attempt 2, hedge"]
    assert [lane.outcome for lane in lanes] == ["ok", "server error 500", "ok"]
    assert [lane.tone for lane in lanes] == ["good", "bad", "good"]
    assert lanes[1].cause == "down"


def test_a_single_attempt_is_its_call() -> None:
    """In two bars: until the first byte, and from there on."""
    (lane,) = build_waterfall(trace(call(attempt(first_byte_s=0.75)), total_s=1.0)).lanes
    assert [(bar.kind, bar.x, bar.width) for bar in lane.bars[1:]] == [("waiting", 0, 75), ("receiving", 75, 25)]
    assert (lane.took_s, lane.first_byte_s) == (1.0, 0.75)


def test_a_cancelled_call_is_not_a_failure() -> None:
    """Each tone has a sign too, for readers who do not see colours."""
    lanes = build_waterfall(trace(call(attempt("cancelled"), outcome="cancelled"), call(outcome="breaker_open"))).lanes
    assert [(lane.tone, lane.sign) for lane in lanes] == [("idle", "⊘"), ("bad", "✕")]


def test_marks_are_round() -> None:
    """The last has a label if there is room."""
    assert [tick.label for tick in build_waterfall(trace(call(), total_s=2.3)).ticks] == [
        "0",
        "0.5 s",
        "1 s",
        "1.5 s",
        "2 s",
    ]
    assert [tick.label for tick in build_waterfall(trace(call(), total_s=9.0)).ticks] == [
        "0",
        "2 s",
        "4 s",
        "6 s",
        "8 s",
    ]


def test_the_waterfall_has_a_text_alternative() -> None:
    """Calls, attempts, hedges and failures."""
    calls = call(attempt(), attempt(hedge=True)), call(attempt("timeout"), outcome="timeout")
    assert build_waterfall(trace(*calls)).summary == "2 calls, 3 attempts in 2.00 s; 1 hedged, 1 failed"
    assert build_waterfall(trace(call(attempt()))).summary == "1 call, 1 attempt in 2.00 s"


def test_the_panel_s_end_is_marked() -> None:
    """If there was a panel."""
    assert build_waterfall(trace(call(attempt()), panel_s=1.0)).settled_x == 50
    assert build_waterfall(trace(call(attempt(), role="direct"), panel_s=0.0)).settled_x is None
