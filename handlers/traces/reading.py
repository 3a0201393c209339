"""Traces as they were kept, read again: those of older versions too, which lack keys that came later. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.frozen import frozen
from synth.request import text_of

Document = dict[str, Any]
"""A trace as `Trace.document` of handlers/traces/collector.py makes it, with every key that this version knows.

But for a candidate's `finding`: where that is missing, nobody knows whether it keeps the contract.
"""

_MAX_ABOUT_CHARS = 160

_COMPLETION = {"text": "", "reasoning": None, "tool_calls": None, "finish_reason": None}
_LETTERED: dict[str, Any] = {"seed": None, "letters": {}}
_FAILURE = {"kind": "", "message": ""}
_USED = {"prompt_tokens": 0, "completion_tokens": 0, "estimated": False, "cost": None}
_ATTEMPT = {
    **dict.fromkeys(("status", "message", "started_s", "first_byte_s", "ended_s", "pause_s", "usage")),
    "outcome": "",
    "hedge": False,
}
_CALL = {
    **dict.fromkeys(("started_s", "ended_s")),
    **dict.fromkeys(("role", "model", "upstream_model", "outcome"), ""),
    **_USED,
    "attempts": [_ATTEMPT],
}
_AUTHOR = {"model": "", "role": "", "choice": 0, **_LETTERED, "messages": [{}], "failure": None, "said": None}
_DEFECT = {"kind": "", "quote": "", "problem": ""}
_VERIFICATION = {
    **dict.fromkeys(("failure", "revised", "worse")),
    "choice": 0,
    "model": "",
    "defects": [_DEFECT],
    "n_dismissed": 0,
}
_SHAPE: dict[str, Any] = {
    "id": "",
    "time": "",
    "request_id": "",
    **dict.fromkeys(("client", "status", "mixture", "mode", "bypass", "decided_by", "error")),
    "outcome": "",
    "timings": dict.fromkeys(("total_s", "queued_s", "panel_s", "critic_s")),
    "request": {"headers": {}, "params": {}, "messages": [{}], "model": None, "n": 1, "stream": False, "body": None},
    "layers": [{"layer": 0, **_LETTERED}],
    "candidates": [{"model": "", "layer": 1, **_COMPLETION}],  # whether it was checked tells `finding`, there or not
    "failures": [{"model": "", "layer": 1, **_FAILURE}],
    "authors": [_AUTHOR],
    "verifications": [_VERIFICATION],
    "answers": [{"choice": 0, "decided_by": "", "author": "", **_COMPLETION}],
    "calls": [_CALL],
    "ledger": {**_USED, "currency": ""},
}


@frozen
class Summary:
    """One line of a list of traces. `about` is the beginning of what the user said last; `total_s` is in seconds."""

    id: str
    time: str
    client: str | None
    mixture: str | None
    mode: str | None
    decided_by: str | None
    outcome: str
    status: int | None
    total_s: float | None
    cost: float | None
    currency: str
    n_tokens: int
    about: str


def parsed(text: str) -> Document:
    """Return a trace from its JSON, with what it lacks filled in; ValueError where it is no trace."""
    value = json.loads(text)
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        raise ValueError("is not a trace")  # noqa: TRY004 -- one kind of error for all that cannot be read
    document: Document = _filled(_SHAPE, value)
    return document


def summary(document: Mapping[str, Any]) -> Summary:
    """Return the line of a list that stands for a trace."""
    ledger, request = document["ledger"], document["request"]
    return Summary(
        id=document["id"],
        time=document["time"],
        client=document["client"],
        mixture=document["mixture"] or request.get("model") or None,
        mode=document["mode"],
        decided_by=document["decided_by"],
        outcome=document["outcome"],
        status=document["status"],
        total_s=document["timings"]["total_s"],
        cost=ledger["cost"],
        currency=ledger["currency"],
        n_tokens=ledger["prompt_tokens"] + ledger["completion_tokens"],
        about=_about(request.get("messages") or []),
    )


def _about(messages: Sequence[Mapping[str, Any]]) -> str:
    for message in reversed(messages):
        if message.get("role") == "user":
            start = text_of(message.get("content"))[: _MAX_ABOUT_CHARS * 4]
            return " ".join(start.split())[:_MAX_ABOUT_CHARS]
    return ""


def _filled(shape: Any, value: Any) -> Any:
    """Return a value in a shape: what it lacks, or has as something else, is the shape's; keys beyond it stay.

    An empty mapping in the shape is any mapping; a list in it has one entry, the shape of each.
    """
    if isinstance(shape, dict):
        given = value if isinstance(value, dict) else {}
        return {**given, **{key: _filled(inner, given.get(key)) for key, inner in shape.items()}}
    if isinstance(shape, list):
        return [_filled(shape[0], each) for each in value] if isinstance(value, list) else []
    if isinstance(shape, str):
        return value if isinstance(value, str) else shape
    if isinstance(shape, int) and not isinstance(value, int | float):
        return shape
    return shape if value is None else value
