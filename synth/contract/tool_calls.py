"""Checks the calls of an answer against the tools that its request offers. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.budget import Budget
from synth.contract.json_schema import MAX_FINDING_CHARS, SchemaError, find_mismatch, parse_json
from synth.normalize import Completion

_STEPS_PER_CALL = 50
_CHARS_PER_VALUE = 4


def list_calls(completion: Completion) -> list[Mapping[str, Any]]:
    """Return the calls of an answer; an older `function_call` as one without id and type."""
    if completion.function_call:
        return [*completion.tool_calls, {"function": completion.function_call}]
    return list(completion.tool_calls)


def find_bad_call(tools: Mapping[str, Any], calls: Sequence[Mapping[str, Any]], budget: Budget) -> str | None:
    """Return the defect of the first bad call, worded for its author, or None if all calls are valid."""
    return next((problem for problem in (_find_defect(tools, call, budget) for call in calls) if problem), None)


def _find_defect(tools: Mapping[str, Any], call: Mapping[str, Any], budget: Budget) -> str | None:
    function = call.get("function") or call.get("custom") or {}
    name = str(function.get("name"))
    if name not in tools:
        return f"the tool {name!r} is not among those that may be called: {', '.join(tools)}"[:MAX_FINDING_CHARS]
    if "function" not in call:
        return None
    text = str(function.get("arguments"))
    budget.spend(_STEPS_PER_CALL + len(text) // _CHARS_PER_VALUE)
    try:
        arguments = parse_json(text)
    except ValueError as error:
        return f"the arguments of {name} are not JSON: {error}"[:MAX_FINDING_CHARS]
    try:
        missed = find_mismatch(arguments, tools[name], budget)
    except SchemaError:  # upstreams take such schemas in their own way, and so does the gateway
        return None
    return missed and f"the arguments of {name} do not fit its schema {missed}"
