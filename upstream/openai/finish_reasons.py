"""Finish reasons of any upstream, translated to OpenAI's. Pure.

OpenAI has `stop`, `length`, `tool_calls`, `function_call` and `content_filter`
(https://platform.openai.com/docs/api-reference/chat/object). Upstreams add their own: Gemini's enum names
(https://ai.google.dev/api/generate-content#FinishReason), Anthropic's and Bedrock's stop reasons, and words of servers
and relays. To teach the gateway another one, add it to its row of `_WORDS`.
"""

import re
from typing import Any

ERROR = "error"
"""The answer broke off: the upstream says so, or gives an unknown reason."""

_WORDS: dict[str, str] = {
    "content_filter": """content_filter content_filtered filtered safety recitation prohibited_content spii blocklist
        blocked image_safety image_prohibited_content image_recitation sensitive refusal guardrail_intervened guardrail
        moderation error_toxic content_policy policy_violation content_policy_violation language""",
    ERROR: """error errored failed failure abort aborted cancel cancelled canceled interrupted timeout network_error
        insufficient_system_resource engine_overloaded overloaded malformed_function_call malformed_response
        unexpected_tool_call too_many_tool_calls missing_thought_signature other other_error image_other no_image
        error_limit user_cancel load repetition_truncation incomplete""",
    "length": """length max_tokens max_token max_length model_length max_output_tokens max_completion_tokens
        max_new_tokens token_limit limit truncated model_context_window_exceeded context_length_exceeded
        context_window_exceeded length_capped""",
    "tool_calls": "tool_calls tool_call tool_use tool function_calls tools",
    "function_call": "function_call",
    "stop": """stop stopped stop_sequence stop_sequences stop_token stop_str eos eos_token eos_found end end_turn
        end_of_turn endoftext finish finished done complete completed normal success""",
}
_KNOWN = {word: reason for reason, words in _WORDS.items() for word in words.split()}
_RANK = {reason: rank for rank, reason in enumerate(_WORDS)}  # the worst first
_UNSTATED = frozenset({"", "null", "none", "unspecified", "finish_reason_unspecified"})
_PREFIX = re.compile(r"^(?:finish_?reason|stop_?reason)[._:]*")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_GAP = re.compile(r"[\s-]+")
_BETWEEN_WORDS = re.compile(r"[^a-z_]+")


def read_finish_reason(stated: Any) -> tuple[str | None, bool]:
    """Return a finish reason in OpenAI's words, and whether it is known; (None, True) if none is stated.

    A reason of several words (`content_filter: RECITATION`) is as bad as its worst word. One without any known word is
    returned as it is, and is not known.
    """
    known = _KNOWN.get(stated) if isinstance(stated, str) else None
    if known is not None:
        return known, True
    if not is_stated(stated):
        return None, True
    word = _simplify(stated)
    if word in _KNOWN:
        return _KNOWN[word], True
    reasons = [_KNOWN[part] for part in map(_simplify, _BETWEEN_WORDS.split(word)) if part in _KNOWN]
    if reasons:
        return min(reasons, key=_RANK.__getitem__), True
    return stated, False


def is_stated(reason: Any) -> bool:
    """Whether a `finish_reason` is set: some upstreams send "" or "null" in every chunk."""
    return isinstance(reason, str) and reason.strip().lower() not in _UNSTATED


def _simplify(word: str) -> str:
    simple = _GAP.sub("_", _HUMP.sub("_", word.strip())).lower()
    return _PREFIX.sub("", simple).strip("_")
