"""Prepares the messages of a conversation for the pages. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handlers.ui.formats import format_json
from synth.request import text_of

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message: its role, its text, and as JSON in `extra` its other parts, such as tool calls and images."""

    role: str
    text: str
    extra: str


def show_messages(messages: Sequence[Message]) -> list[ShownMessage]:
    """Return a conversation's messages."""
    return [_show(message) for message in messages]


def split_prompt(prompt: Sequence[Message], conversation: Sequence[Message]) -> tuple[int, list[ShownMessage]]:
    """Return how many messages a prompt shares with the client's conversation, and what it adds to them.

    If the prompt extends a message of the client's, the extension alone is shown.
    """
    n_same = 0
    while n_same < min(len(prompt), len(conversation)) and prompt[n_same] == conversation[n_same]:
        n_same += 1
    added = [_show(message) for message in prompt[n_same:]]
    if added and n_same < len(conversation):
        original, extended = _show(conversation[n_same]), added[0]
        if extended.role == original.role and original.text and extended.text.startswith(original.text):
            added[0] = ShownMessage(extended.role, extended.text.removeprefix(original.text).strip("\n"), "")
            n_same += 1
    return n_same, added


def _show(message: Message) -> ShownMessage:
    content = message.get("content")
    extra = {key: value for key, value in message.items() if key not in ("role", "content") and value is not None}
    if isinstance(content, list):
        others = [part for part in content if not (isinstance(part, dict) and part.get("type") == "text")]
        extra |= {"content": others} if others else {}
    return ShownMessage(str(message.get("role") or ""), text_of(content), format_json(extra) if extra else "")
