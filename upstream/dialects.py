"""The protocols that upstreams speak. The rest of the gateway handles Chat Completions only.

A dialect writes requests and translates replies; HTTP, retries, timeouts, quirks and limits are the same for all.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from config.settings import Model, UpstreamApi
from runtime import json_codec, json_steps
from runtime.json_steps import Steps
from upstream.anthropic.wire import MessagesReply, write_request
from upstream.openai import wire
from upstream.openai.conversation import Conversation, Message

Translate = Callable[[Any], Iterable[Any]]
"""Turns one JSON value of a reply into chunks or a completion of Chat Completions."""


class Dialect(Protocol):
    """A protocol: the path below the base URL, the headers of a key, the body of a request, the reply's translation."""

    path: str

    def auth_headers(self, key: str | None) -> Mapping[str, str]:
        """Return the headers that every request carries; `key` is None if none is configured."""
        ...

    def encode(self, messages: Sequence[Message], fields: Mapping[str, Any]) -> tuple[bytes, ...]:
        """Return the body, in pieces, for messages and further fields of Chat Completions."""
        ...

    def encode_in_steps(self, conversation: Conversation, fields: Mapping[str, Any]) -> Steps[tuple[bytes, ...]]:
        """Return the body as `encode` does, for a large request."""
        ...

    def translator(self) -> Translate | None:
        """Return a new translator for one reply, or None if replies need no translation."""
        ...


class ChatDialect:
    """OpenAI's Chat Completions."""

    path = "/chat/completions"

    def auth_headers(self, key: str | None) -> Mapping[str, str]:
        """Return `Authorization: Bearer`."""
        return {} if key is None else {"Authorization": f"Bearer {key}"}

    def encode(self, messages: Sequence[Message], fields: Mapping[str, Any]) -> tuple[bytes, ...]:
        """Return the body; the messages are encoded once for all models that they go to."""
        return wire.encode(messages, fields)

    def encode_in_steps(self, conversation: Conversation, fields: Mapping[str, Any]) -> Steps[tuple[bytes, ...]]:
        """Return the body as `encode` does."""
        return wire.encode_in_steps(conversation, fields)

    def translator(self) -> None:
        """Return None, because replies need no translation."""


class MessagesDialect:
    """Anthropic's Messages: https://docs.anthropic.com/en/api/messages."""

    path = "/messages"
    _counts = False  # to count, a request is sent without its limit

    def auth_headers(self, key: str | None) -> Mapping[str, str]:
        """Return `x-api-key`, and the API's version."""
        version = {"anthropic-version": "2023-06-01"}
        return version if key is None else {"x-api-key": key, **version}

    def encode(self, messages: Sequence[Message], fields: Mapping[str, Any]) -> tuple[bytes, ...]:
        """Return the body, with a Messages client's own messages as it sent them."""
        return (json_codec.encode(write_request(messages, fields, counts=self._counts)),)

    def encode_in_steps(self, conversation: Conversation, fields: Mapping[str, Any]) -> Steps[tuple[bytes, ...]]:
        """Return the body as `encode` does."""
        pieces = yield from json_steps.encode(write_request(conversation, fields, counts=self._counts))
        return tuple(pieces)

    def translator(self) -> Translate:
        """Return a translator of one message or one stream of events."""
        return MessagesReply().read


class TokenCountDialect(MessagesDialect):
    """Anthropic's token counter: https://docs.anthropic.com/en/api/messages-count-tokens."""

    path = "/messages/count_tokens"
    _counts = True

    def translator(self) -> Translate:
        """Return the identity as translator."""
        return lambda value: (value,)


CHAT: Dialect = ChatDialect()
TOKEN_COUNT: Dialect = TokenCountDialect()
DIALECTS: Mapping[UpstreamApi, Dialect] = {"chat": CHAT, "messages": MessagesDialect()}


def dialect_of(model: Model) -> Dialect:
    """Return the dialect of a model's upstream."""
    return DIALECTS[model.api]
