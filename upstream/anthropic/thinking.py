"""The effort of Chat Completions as a thinking budget of Anthropic's Messages. Pure.

Rules of the API: https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking. A budget has at least 1,024
tokens and is part of `max_tokens`. Thinking excludes a forced tool and most sampling parameters, and a turn that
continues a tool call must begin with the thinking that led to the call.
"""

from collections.abc import Mapping, Sequence
from typing import Any

MIN_BUDGET = 1_024

SHARES: Mapping[str, float] = {"minimal": 0.1, "low": 0.2, "medium": 0.5, "high": 0.8, "xhigh": 0.9, "max": 0.9}
"""The share of `max_tokens` that may be thought, by effort: so an effort never makes an answer dearer than its limit.
OpenRouter translates efforts in the same way (https://openrouter.ai/docs/use-cases/reasoning-tokens)."""

_MIN_TOP_P = 0.95


def think(body: Mapping[str, Any], effort: Any) -> dict[str, Any]:
    """Return a request's body with a thinking budget for an effort, or unchanged if thinking is not possible."""
    limit, share = body.get("max_tokens"), SHARES.get(effort) if isinstance(effort, str) else None
    if share is None or not isinstance(limit, int) or "thinking" in body or not _may_think(body):
        return dict(body)
    budget = max(MIN_BUDGET, int(limit * share))
    if budget >= limit:
        return dict(body)
    kept = {name: value for name, value in body.items() if not _is_excluded(name, value)}
    return {**kept, "thinking": {"type": "enabled", "budget_tokens": budget}}


def _may_think(body: Mapping[str, Any]) -> bool:
    choice = body.get("tool_choice") or {}
    return choice.get("type") not in ("any", "tool") and not _lacks_thinking(body.get("messages") or ())


def _lacks_thinking(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last turn continues a tool call whose thinking the client did not return."""
    if not _has_block(messages[-1:], "tool_result"):
        return False
    calling = [message for message in messages if message.get("role") == "assistant"][-1:]
    content = calling[0].get("content") if calling else None
    first = content[0] if isinstance(content, list) and content else {}
    return first.get("type") not in ("thinking", "redacted_thinking")


def _has_block(messages: Sequence[Mapping[str, Any]], kind: str) -> bool:
    contents = [message.get("content") for message in messages]
    return any(block.get("type") == kind for each in contents if isinstance(each, list) for block in each)


def _is_excluded(name: str, value: Any) -> bool:
    """Whether thinking excludes a sampling parameter, so that it must be left out."""
    if name == "temperature":
        return bool(value != 1)
    return name == "top_k" or (name == "top_p" and isinstance(value, int | float) and value < _MIN_TOP_P)
