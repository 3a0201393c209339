"""Stop reasons and usage of Anthropic's Messages, translated to and from Chat Completions. Pure."""

from collections.abc import Mapping
from typing import Any

_FINISH_FROM_STOP = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_STOP_FROM_FINISH = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


def finish_reason_from_stop(reason: Any) -> Any:
    """Return the finish reason for a stop reason; an unknown one is returned as it is."""
    return _FINISH_FROM_STOP.get(reason, reason) if isinstance(reason, str) else reason


def stop_reason_from_finish(reason: str) -> str:
    """Return the stop reason for a finish reason; an unknown one is returned as it is."""
    return _STOP_FROM_FINISH.get(reason, reason)


def usage_from_messages(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return Chat Completions' usage for a Messages usage.

    Anthropic counts cached and newly cached prompt tokens beside `input_tokens`; OpenAI counts them within
    `prompt_tokens`.
    """
    read, written = _count(usage, "cache_read_input_tokens"), _count(usage, "cache_creation_input_tokens")
    prompt, completion = _count(usage, "input_tokens") + read + written, _count(usage, "output_tokens")
    found: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if read or written:
        found["prompt_tokens_details"] = {"cached_tokens": read, "cache_write_tokens": written}
    return found


def usage_from_chat(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Messages usage for a usage of Chat Completions, with its cache fields."""
    details = usage.get("prompt_tokens_details")
    cache = details if isinstance(details, dict) else {}
    read, written = _count(cache, "cached_tokens"), _count(cache, "cache_write_tokens")
    return {
        "input_tokens": max(0, _count(usage, "prompt_tokens") - read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": _count(usage, "completion_tokens"),
    }


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if type(value) is int and value >= 0 else 0
