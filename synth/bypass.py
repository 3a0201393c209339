"""Recognising requests that need no panel: commit messages, titles and summaries that coding tools ask for. Pure."""

import re
from collections.abc import Sequence

from config.settings import BypassRule
from synth.request import ChatRequest, start_of, text_of
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
        r"\btitle generator\b|\bgenerates?\b.{0,60}\b(?:chat|conversation|thread|session) titles?\b"
        r"|\b(?:generate|create|write|provide|give|suggest)\b.{0,60}\btitles?\b.{0,60}\b(?:chat|conversation|thread|session)\b",
        telltale="title",
    ),
    BypassRule(
        "chat-tags",
        r"^### Task:\s*(?:generate|suggest)\b.{0,60}\b(?:tags?|follow-up questions?|queries)\b",
        telltale="### task",
    ),
    BypassRule("title", json_fields=("title",)),
    BypassRule(
        "compaction",
        last_message=r"CRITICAL: Respond with TEXT ONLY\b|You are performing a CONTEXT CHECKPOINT COMPACTION\b",
    ),
)
"""The rules with `system` hold only for requests of nothing but instructions and their subject. Coding agents ask for
a session's title by a JSON schema, and for compaction at the end of the whole conversation."""

_MAX_QUESTIONS = 2  # opencode asks for a title in one message, and shows the subject in the next
_INSTRUCTION_CHARS = 600


def find_rule(request: ChatRequest, rules: Sequence[BypassRule]) -> BypassRule | None:
    """Return the first rule that a request meets, or None if the panel must answer."""
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
    if rule.json_fields and _json_fields(request) != set(rule.json_fields):
        return False
    if rule.last_message is not None and not _begins(request, rule.last_message):
        return False
    return rule.system is None or re.search(rule.system, instructions or "", re.IGNORECASE | re.DOTALL) is not None


def _json_fields(request: ChatRequest) -> set[str] | None:
    """Return the properties of the JSON schema that a request without tools asks for."""
    response_format = request.params.get("response_format")
    if not isinstance(response_format, dict) or request.params.get("tools"):
        return None
    json_schema = response_format.get("json_schema")
    schema = json_schema.get("schema") if isinstance(json_schema, dict) else None
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return set(properties) if isinstance(properties, dict) else None


def _begins(request: ChatRequest, pattern: str) -> bool:
    """Whether a text of the last message, if it is the user's, begins with the pattern."""
    last = request.messages[-1]
    if last.get("role") != "user":
        return False
    content = last.get("content")
    texts = [text_of([part]) for part in content] if isinstance(content, list) else [text_of(content)]
    begins = re.compile(pattern).match
    return any(begins(text.lstrip()[:_INSTRUCTION_CHARS]) for text in texts)


def _read_instructions(request: ChatRequest) -> str | None:
    """Return the start of the instructions: of the system prompt or the only message, or None without either."""
    first, *rest = request.messages
    if len(rest) > _MAX_QUESTIONS or request.params.get("tools"):
        return None
    if rest and (first.get("role") not in ("system", "developer") or any(each.get("role") != "user" for each in rest)):
        return None
    return start_of(first.get("content"), _INSTRUCTION_CHARS)


def _count_chars(request: ChatRequest) -> int:
    return sum(len(text_of(message.get("content"))) for message in request.messages)


def _is_below(n_tokens: int, request: ChatRequest) -> bool:
    limit = find_token_limit(request.params)
    return limit is not None and limit < n_tokens
