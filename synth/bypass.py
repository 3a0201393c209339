"""Requests that need no panel: commit messages, titles, summaries, which tools ask for beside the work itself. Pure."""

import re
from collections.abc import Sequence

from config.settings import BypassRule
from synth.request import ChatRequest, text_of
from upstream.wire import TOKEN_LIMITS

BUILT_IN = (
    BypassRule("commit-message", r"\b(?:git )?commit messages?\b.{0,80}\b(?:diffs?|changes)\b"),
    BypassRule("chat-summary", r"\bsummari[sz]e this (?:partial )?(?:conversation|chat)\b"),
    BypassRule(
        "title",
        r"\btitle generator\b"
        r"|\b(?:generate|create|write|provide|give|suggest)\b.{0,60}\btitles?\b.{0,60}\b(?:chat|conversation|thread|session)\b",
    ),
    BypassRule("chat-tags", r"^### Task:\s*(?:generate|suggest)\b.{0,60}\b(?:tags?|follow-up questions?|queries)\b"),
)
"""Recognised by what their instructions say, in requests that are nothing but instructions and one message."""

_MAX_MESSAGES = 2
_INSTRUCTION_CHARS = 600


def matching(request: ChatRequest, rules: Sequence[BypassRule]) -> BypassRule | None:
    """Return the first rule that a request meets, None where it is for the panel."""
    return next((rule for rule in rules if _meets(request, rule)), None)


def _meets(request: ChatRequest, rule: BypassRule) -> bool:
    checks = [
        rule.system is None or _instructions_match(request, rule.system),
        rule.max_prompt_chars is None or _n_chars(request) <= rule.max_prompt_chars,
        rule.max_tokens_below is None or _limit(request) < rule.max_tokens_below,
    ]
    return all(checks)


def _instructions_match(request: ChatRequest, pattern: str) -> bool:
    """Whether the beginning of the instructions matches: of the system prompt, or of an only message."""
    if len(request.messages) > _MAX_MESSAGES or request.params.get("tools"):
        return False
    first = request.messages[0]
    if len(request.messages) > 1 and first.get("role") not in ("system", "developer"):
        return False
    start = text_of(first.get("content"))[:_INSTRUCTION_CHARS]
    return re.search(pattern, start, re.IGNORECASE | re.DOTALL) is not None


def _n_chars(request: ChatRequest) -> int:
    return sum(len(text_of(message.get("content"))) for message in request.messages)


def _limit(request: ChatRequest) -> float:
    stated = [request.params[name] for name in TOKEN_LIMITS if request.params.get(name) is not None]
    return min(stated, default=float("inf"))
