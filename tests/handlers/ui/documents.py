"""Short traces, as dictionaries of the JSON file, and read from them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from handlers.traces.schema import Trace


def candidate(model: str, text: str = "", *, layer: int = 1, **fields: Any) -> dict[str, Any]:
    return {"model": model, "layer": layer, "finding": None, "text": text, "finish_reason": "stop", **fields}


def failure(model: str, kind: str = "timeout", *, layer: int = 1) -> dict[str, Any]:
    return {"model": model, "layer": layer, "kind": kind, "message": "no"}


def answer(author: str, text: str = "", decided_by: str = "critic", **fields: Any) -> dict[str, Any]:
    return {"choice": 0, "decided_by": decided_by, "author": author, "text": text, "finish_reason": "stop", **fields}


def call(model: str, ended_s: float | None = 1.0, *, role: str = "proposer", **fields: Any) -> dict[str, Any]:
    used = {"prompt_tokens": 10, "completion_tokens": 5, "estimated": False, "cost": 0.01}
    return {"role": role, "model": model, "outcome": "ok", "started_s": 0.0, "ended_s": ended_s, **used, **fields}


def document(
    *,
    candidates: Sequence[Mapping[str, Any]] = (),
    failures: Sequence[Mapping[str, Any]] = (),
    answers: Sequence[Mapping[str, Any]] = (),
    calls: Sequence[Mapping[str, Any]] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Return a trace's JSON value; by default `calls` has one for each proposer."""
    names = dict.fromkeys(each["model"] for each in (*candidates, *failures) if each.get("kind") != "left_out")
    return {
        "time": "2026-01-02T03:04:05.678+00:00",
        "mixture": "mom",
        "outcome": "ok",
        "error": None,
        "timings": {"total_s": 2.0},
        "candidates": list(candidates),
        "failures": list(failures),
        "answers": list(answers),
        "calls": [call(name) for name in names] if calls is None else list(calls),
        "ledger": {"currency": "USD"},
        **fields,
    }


def as_trace(fields: Mapping[str, Any]) -> Trace:
    """Return the trace of a JSON value."""
    return msgspec.convert({"id": "chatcmpl-1", **fields}, Trace)
