"""Encodes the messages of a request once for all models that read them. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from runtime import json_steps
from runtime.json_codec import encode
from runtime.json_steps import Steps

Message = Mapping[str, Any]

_LARGE_CHARS = 2**19  # a longer text is encoded in steps, and not copied


class Conversation(list[Message]):
    """The messages of one request, or an extension of them. Never changed in place.

    Each message is encoded when it is first sent. An extension shares the encoded messages that it begins with, so all
    members of a panel, and the critic after them, receive the same bytes. One that `is_large` takes long to encode, and
    is encoded in steps.
    """

    def __init__(
        self, messages: Iterable[Message] = (), encoded: Iterable[bytes] = (), *, is_large: bool = False
    ) -> None:
        super().__init__(messages)
        self.is_large = is_large
        self._encoded = list(encoded)
        self._digest: bytes | None = None

    @classmethod
    def of(cls, messages: Iterable[Message]) -> "Conversation":
        """Return the messages as a Conversation; the same object if they are one."""
        return messages if isinstance(messages, Conversation) else cls(messages)

    def continue_with(self, *messages: Message, keep: int | None = None) -> "Conversation":
        """Return a conversation of the first `keep` messages (None: all) and these."""
        begin = self[:keep]
        is_large = self.is_large or any(len(each.get("content") or "") > _LARGE_CHARS for each in messages)
        return Conversation([*begin, *messages], self._parts()[: len(begin)], is_large=is_large)

    def digest_beginning(self) -> bytes:
        """Return a digest of the messages up to the user's first one: the same on every turn of a conversation."""
        if self._digest is None:
            digest = hashlib.blake2b(digest_size=16)
            for part in self._list_beginning():
                digest.update(part)
                digest.update(b",")
            self._digest = digest.digest()
        return self._digest

    def _list_beginning(self) -> list[bytes]:
        for position, message in enumerate(self):
            if message.get("role") == "user":
                base = message.base if isinstance(message, ExtendedMessage) else None
                return [*self._parts()[:position], self._parts()[position] if base is None else encode(base)]
        return self._parts()

    def items_json(self) -> bytes:
        """Return the messages as JSON, with commas between them: an array without its brackets."""
        return b",".join(self._parts())

    def encode_in_steps(self) -> Steps[None]:
        """Encode the messages, so that `items_json` and `n_bytes` are fast. Several tasks may do so at a time."""
        added: list[bytes] = []
        for message in self[len(self._encoded) :]:
            pieces = yield from json_steps.encode(message)
            added.append(b"".join(pieces))
        self._encoded += added[len(added) - (len(self) - len(self._encoded)) :]

    def n_bytes(self) -> int:
        """Return the size of the messages as JSON."""
        return sum(map(len, self._parts()))

    def _parts(self) -> list[bytes]:
        if len(self._encoded) < len(self):
            self._encoded += map(encode, self[len(self._encoded) :])
        return self._encoded


class ExtendedMessage(dict[str, Any]):
    """A message with text of the gateway's own at its end, which the conversation will not have on the next turn.

    As a dict it is the whole message, as every upstream takes it. `base` is the message without the added text, or
    None if all of it was added. `blocks` are the added texts.
    """

    __slots__ = ("base", "blocks")

    def __init__(self, fields: Mapping[str, Any], base: Message | None, blocks: tuple[str, ...]) -> None:
        super().__init__(fields)
        self.base = base
        self.blocks = blocks


def add_message(text: str) -> ExtendedMessage:
    """Return a user's message of the gateway's own."""
    return ExtendedMessage({"role": "user", "content": text}, None, (text,))


def append_block(messages: Iterable[Message], block: str) -> Conversation:
    """Return the conversation with a block of text at its end.

    If the last message is the user's, the block becomes part of it, because strict chat templates want turns to
    alternate; otherwise it is a user message of its own. A large text is not copied: the block is a part beside it.
    """
    # A prompt cache compares beginnings, so nothing in front of the block may change: text stays a string that the
    # block continues, and parts stay a list with one more. Upstreams that want breakpoints in the prompt need to know
    # where the client's own text ends (upstream/prompt_cache.py), hence ExtendedMessage.
    before = Conversation.of(messages)
    last = before[-1] if before else {}
    content = last.get("content")
    if last.get("role") != "user" or not isinstance(content, str | list):
        return before.continue_with(add_message(block))
    if isinstance(content, str) and len(content) > _LARGE_CHARS:
        content = [_text_part(content)]
    longer = f"{content}\n\n{block}" if isinstance(content, str) else [*content, _text_part(f"\n\n{block}")]
    base, blocks = (last.base, last.blocks) if isinstance(last, ExtendedMessage) else (last, ())
    return before.continue_with(ExtendedMessage({**last, "content": longer}, base, (*blocks, block)), keep=-1)


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
