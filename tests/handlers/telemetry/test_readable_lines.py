"""Log lines in their readable form."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from handlers.telemetry.readable_lines import ReadableLines

STAMP = {"timestamp": "2026-11-30T12:00:01.123456Z", "level": "info"}
REQUEST: dict[str, Any] = {
    "event": "request",
    "request_id": "req-1",
    "method": "POST",
    "path": "/v1/chat/completions",
    "status": 200,
    "seconds": 4.2345,
    "api": "chat",
    "outcome": "ok",
    "mixture": "mom",
    "mode": "fuse",
    "candidates": "3/3",
    "decided_by": "equal_candidates",
    "author": "sonnet",
    "calls": 4,
    "attempts": 4,
    "prompt_tokens": 1200,
    "completion_tokens": 345,
    "cost": 0.01234,
    "currency": "USD",
}


@pytest.fixture(autouse=True)
def _in_some_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a local time that is not UTC, whatever the machine."""
    monkeypatch.setenv("TZ", "XXX-2")
    import time  # noqa: PLC0415

    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def line(*, colours: bool = False, **facts: Any) -> str:
    event: dict[str, Any] = {**STAMP, **facts}
    return ReadableLines(colours=colours)(None, "info", event)


def test_a_request_is_one_short_line() -> None:
    """Local time, status, mixture, duration, author, decision, calls, tokens, cost."""
    assert line(**REQUEST) == (
        "14:00:01  200  mom  4.2 s  3/3 answered  sonnet (equal candidates)  4 calls, 1200 + 345 tokens  0.0123 USD"
    )
    assert datetime.fromisoformat(STAMP["timestamp"]).astimezone().hour == 14


def test_tokens_from_caches_are_named() -> None:
    """If an upstream reports any."""
    assert "  4 calls, 1200 (900 cached) + 345 tokens  " in line(**REQUEST, cached_tokens=900)


def test_failures_have_their_causes() -> None:
    """In one line, however many lines the provider used; the slow ones as well."""
    failed = {"gpt": "timeout: no first byte\nin time", "gemini (critic)": "rejected: \x1b[31mno credit"}
    shown = line(**{**REQUEST, "failed": failed, "slow": {"opus": 28.13}, "client": "laptop"})
    assert shown.endswith(
        "0.0123 USD  gpt: timeout: no first byte in time  gemini (critic): rejected: [31mno credit"
        "  opus took 28.1 s  client laptop"
    )


def test_a_cause_is_written_once() -> None:
    """With all models that failed for it."""
    failed = {"qwen#1": "not_ready: loading", "gpt": "auth: no", "qwen#2": "not_ready: loading"}
    assert line(**{**REQUEST, "failed": failed}).endswith("  qwen#1, qwen#2: not_ready: loading  gpt: auth: no")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"method": "GET", "path": "/v1/models", "status": 200, "seconds": 0.001}, "200  GET /v1/models  0.0 s"),
        (
            {
                "method": "POST",
                "path": "/v1/chat/completions",
                "status": 404,
                "seconds": 0.0,
                "error": "model_not_found",
                "cause": "unknown model gpt-9",
            },
            "404  POST /v1/chat/completions  0.0 s  model_not_found: unknown model gpt-9",
        ),
        (
            {"method": "POST", "path": "/v1/messages", "status": 499, "seconds": 2.0, "mixture": "mom"},
            "499  mom  2.0 s  the client has left",
        ),
        (
            {
                **{name: REQUEST[name] for name in ("method", "path", "status", "seconds", "mixture")},
                "bypass": "title",
                "decided_by": "bypass",
                "author": "haiku",
                "candidates": "0/0",
                "calls": 1,
                "prompt_tokens": 5,
                "completion_tokens": 6,
                "cost": 0.0,
                "currency": "USD",
            },
            "200  mom  4.2 s  haiku (title)  1 call, 5 + 6 tokens",
        ),
    ],
)
def test_other_requests_are_shorter(facts: dict[str, Any], expected: str) -> None:
    """Unknown or trivial values are left out."""
    assert line(event="request", **facts) == f"14:00:01  {expected}"


def test_other_events_have_their_fields() -> None:
    """Behind their level, unless it is the usual one."""
    assert line(event="breaker open", level="warning", model="a", seconds=30, waits={"b": "1 s", "c": "2 s"}) == (
        "14:00:01  warning: breaker open  model=a  seconds=30  waits=b: 1 s; c: 2 s"
    )
    assert line(event="stopping", running=2, request_id="req-1", nothing=None) == "14:00:01  stopping  running=2"


def test_a_traceback_follows() -> None:
    """On lines of its own, without control characters."""
    shown = line(event="unexpected error", level="error", exception="Traceback:\n  \x1b]0;boom\x07")
    assert shown == "14:00:01  error: unexpected error\nTraceback:\n  ]0;boom"


def test_colours_are_marks_only() -> None:
    """Green, yellow and red for the status, red for causes; without them the line is the same."""
    failing = {**REQUEST, "status": 502, "error": "bad", "failed": {"a": "x"}, "slow": {"b": 9.0}, "client": "c"}
    each: tuple[dict[str, Any], ...] = (
        REQUEST,
        {**REQUEST, "status": 400},
        failing,
        {"event": "x", "level": "error", "key": 1},
    )
    for facts in each:
        coloured = line(colours=True, **facts)
        assert "\x1b[" in coloured
        assert re.sub("\x1b\\[\\d*m", "", coloured) == line(**facts)
    assert "\x1b[32m200" in line(colours=True, **REQUEST)
    assert "\x1b[33m400" in line(colours=True, **{**REQUEST, "status": 400})
    assert "\x1b[31m502" in line(colours=True, **failing)
