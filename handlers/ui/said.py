"""Messages of a conversation as the pages show them. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synth.request import text_of

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """Who said what; `more` is what a message has beside its text, as JSON."""

    role: str
    text: str
    more: str


def conversation(messages: Sequence[Message]) -> list[Said]:
    """Return a conversation's messages."""
    return [_said(message) for message in messages]


def critic_told(told: Sequence[Message], messages: Sequence[Message]) -> tuple[int, list[Said]]:
    """Return how many messages of the client's a model was told unchanged, and what it was told beyond them.

    Where the client's last message was added to, what was added counts.
    """
    n_same = 0
    while n_same < min(len(told), len(messages)) and told[n_same] == messages[n_same]:
        n_same += 1
    rest = [_said(message) for message in told[n_same:]]
    if rest and n_same < len(messages):
        begun = _said(messages[n_same])
        first = rest[0]
        if first.role == begun.role and begun.text and first.text.startswith(begun.text):
            rest[0] = Said(first.role, first.text.removeprefix(begun.text).strip("\n"), "")
            n_same += 1
    return n_same, rest


def _said(message: Message) -> Said:
    content = message.get("content")
    more = {key: value for key, value in message.items() if key not in ("role", "content") and value is not None}
    if isinstance(content, list):
        others = [part for part in content if not (isinstance(part, dict) and part.get("type") == "text")]
        more |= {"content": others} if others else {}
    told = json.dumps(more, indent=2, ensure_ascii=False) if more else ""
    return Said(str(message.get("role") or ""), text_of(content), told)
