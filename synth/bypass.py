"""Recognising requests that need no panel: commit messages, titles and summaries that coding tools ask for. Pure."""

import re
from collections.abc import Sequence

from config.settings import BypassRule
from synth.request import ChatRequest, text_of
from upstream.openai.wire import find_token_limit

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
"""Recognised by their instructions, in requests that hold nothing but instructions and their subject."""

_MAX_QUESTIONS = 2  # opencode asks for a title in one message, and shows the subject in the next
_INSTRUCTION_CHARS = 600


def find_rule(request: ChatRequest, rules: Sequence[BypassRule]) -> BypassRule | None:
    """Return the first rule that a request meets, None if it is for the panel."""
    instructions = _read_instructions(request)
    lowered = (instructions or "").lower()
    return next((rule for rule in rules if _meets(request, instructions, lowered, rule)), None)


def _meets(request: ChatRequest, instructions: str | None, lowered: str, rule: BypassRule) -> bool:
    if rule.system is not None and (instructions is None or rule.telltale not in lowered):
        return False
    if rule.max_prompt_chars is not None and _count_chars(request) > rule.max_prompt_chars:
        return False
    if rule.max_tokens_below is not None and not _is_below(rule.max_tokens_below, request):
        return False
    return rule.system is None or re.search(rule.system, instructions or "", re.IGNORECASE | re.DOTALL) is not None


def _read_instructions(request: ChatRequest) -> str | None:
    """Return the start of the instructions: of the system prompt, or of the only message; None in any other work."""
    first, *rest = request.messages
    if len(rest) > _MAX_QUESTIONS or request.params.get("tools"):
        return None
    if rest and (first.get("role") not in ("system", "developer") or any(each.get("role") != "user" for each in rest)):
        return None
    return text_of(first.get("content"))[:_INSTRUCTION_CHARS]


def _count_chars(request: ChatRequest) -> int:
    return sum(len(text_of(message.get("content"))) for message in request.messages)


def _is_below(n_tokens: int, request: ChatRequest) -> bool:
    limit = find_token_limit(request.params)
    return limit is not None and limit < n_tokens
