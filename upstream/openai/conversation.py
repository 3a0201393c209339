"""Encodes the messages of a request once for all models that read them. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from runtime.json_codec import encode

Message = Mapping[str, Any]


class Conversation(list[Message]):
    """The messages of one request, or an extension of them. Never changed in place.

    Each message is encoded when it is first sent. An extension shares the encoded messages that it begins with, so all
    members of a panel, and the critic after them, receive the same bytes.
    """

    def __init__(self, messages: Iterable[Message], encoded: Iterable[bytes] = ()) -> None:
        super().__init__(messages)
        self._encoded = list(encoded)

    @classmethod
    def of(cls, messages: Iterable[Message]) -> "Conversation":
        """Return the messages as a Conversation; the same object if they are one."""
        return messages if isinstance(messages, Conversation) else cls(messages)

    def continue_with(self, *messages: Message, keep: int | None = None) -> "Conversation":
        """Return a conversation of the first `keep` messages (None: all) and these."""
        begin = self[:keep]
        return Conversation([*begin, *messages], self._parts()[: len(begin)])

    def items_json(self) -> bytes:
        """Return the messages as JSON, with commas between them: an array without its brackets."""
        return b",".join(self._parts())

    def n_bytes(self) -> int:
        """Return the size of the messages as JSON."""
        return sum(map(len, self._parts()))

    def _parts(self) -> list[bytes]:
        if len(self._encoded) < len(self):
            self._encoded += map(encode, self[len(self._encoded) :])
        return self._encoded


def append_block(messages: Iterable[Message], block: str) -> Conversation:
    """Return the conversation with a block of text at its end.

    If the last message is the user's, the block becomes part of it, because strict chat templates want turns to
    alternate; otherwise it is a user message of its own.
    """
    before = Conversation.of(messages)
    if before and before[-1].get("role") == "user":
        last = before[-1]
        content = last.get("content")
        if isinstance(content, str):
            return before.continue_with({**last, "content": f"{content}\n\n{block}"}, keep=-1)
        if isinstance(content, list):
            return before.continue_with(
                {**last, "content": [*content, {"type": "text", "text": f"\n\n{block}"}]}, keep=-1
            )
    return before.continue_with({"role": "user", "content": block})
