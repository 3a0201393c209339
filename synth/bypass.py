"""Requests that need no panel: commit messages, titles, summaries, which tools ask for beside the work itself. Pure."""

import re
from collections.abc import Sequence

from config.settings import BypassRule
from synth.request import ChatRequest, text_of
from upstream.openai.wire import TOKEN_LIMITS

BUILT_IN = (
    BypassRule(
        "commit-message",
        r"\b(?:git )?commit messages?\b.{0,80}\b(?:diffs?|changes)\b",
        telltale="commit message",
    ),
    BypassRule("chat-summary", r"\bsummari[sz]e this (?:partial )?(?:conversation|chat)\b", telltale="summari"),
    BypassRule(
        "title",
        r"\btitle generator\b"
        r"|\b(?:generate|create|write|provide|give|suggest)\b.{0,60}\btitles?\b.{0,60}\b(?:chat|conversation|thread|session)\b",
        telltale="title",
    ),
    BypassRule(
        "chat-tags",
        r"^### Task:\s*(?:generate|suggest)\b.{0,60}\b(?:tags?|follow-up questions?|queries)\b",
        telltale="### task",
    ),
)
"""Recognised by what their instructions say, in requests that are nothing but instructions and what they are for."""

_MAX_QUESTIONS = 2  # opencode asks for a title in one message, and shows what about in the next
_INSTRUCTION_CHARS = 600


def matching(request: ChatRequest, rules: Sequence[BypassRule]) -> BypassRule | None:
    """Return the first rule that a request meets, None where it is for the panel."""
    instructions = _instructions(request)
    lowered = (instructions or "").lower()
    return next((rule for rule in rules if _meets(request, instructions, lowered, rule)), None)


def _meets(request: ChatRequest, instructions: str | None, lowered: str, rule: BypassRule) -> bool:
    if rule.system is not None and (instructions is None or rule.telltale not in lowered):
        return False
    if rule.max_prompt_chars is not None and _n_chars(request) > rule.max_prompt_chars:
        return False
    if rule.max_tokens_below is not None and _limit(request) >= rule.max_tokens_below:
        return False
    return rule.system is None or re.search(rule.system, instructions or "", re.IGNORECASE | re.DOTALL) is not None


def _instructions(request: ChatRequest) -> str | None:
    """Return the beginning of the instructions, of the system prompt or of an only message; None amid other work."""
    first, *rest = request.messages
    if len(rest) > _MAX_QUESTIONS or request.params.get("tools"):
        return None
    if rest and (first.get("role") not in ("system", "developer") or any(each.get("role") != "user" for each in rest)):
        return None
    return text_of(first.get("content"))[:_INSTRUCTION_CHARS]


def _n_chars(request: ChatRequest) -> int:
    return sum(len(text_of(message.get("content"))) for message in request.messages)


def _limit(request: ChatRequest) -> float:
    stated = [request.params[name] for name in TOKEN_LIMITS if request.params.get(name) is not None]
    return min(stated, default=float("inf"))
