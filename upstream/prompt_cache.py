"""Fits requests to providers' prompt caches: breakpoints in the prompt, or a key of the conversation. Pure.

A cache hit needs a prompt that begins as an earlier one did. The gateway only ever adds text at the end of a
conversation, so beginnings stay as they are; this module adds what some providers ask for beside that:

- Anthropic caches up to a breakpoint (`cache_control`) that the request sets; OpenRouter passes breakpoints in content
  parts on to its Anthropic and Gemini models.
- OpenAI caches by itself, and finds a prompt again more often if requests of one conversation share `prompt_cache_key`.

Sources: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching,
https://openrouter.ai/docs/features/prompt-caching, https://platform.openai.com/docs/guides/prompt-caching.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from typing import Any
from urllib.parse import urlsplit

from config.settings import Model
from upstream.anthropic.conversation import NativeMessage
from upstream.openai.conversation import Conversation, ExtendedMessage, Message
from upstream.openai.quirks import Fields, Fitted, Messages, Quirk

BREAKPOINT = {"type": "ephemeral"}
"""The breakpoint that the gateway sets, with the provider's own lifetime of five minutes."""

_MARK = "cache_control"
_KEY = "prompt_cache_key"
_SYSTEM_ROLES = ("system", "developer")
_MARKED_ROLES = ("user", "tool", "function", *_SYSTEM_ROLES)
_OPENROUTER_MODELS = ("anthropic/", "google/gemini")


class CacheStyle(Enum):
    """The form in which a provider wants cache hints in a request."""

    NONE = auto()
    BLOCKS = auto()  # breakpoints, in Anthropic's Messages
    PARTS = auto()  # breakpoints in content parts of Chat Completions
    KEY = auto()  # `prompt_cache_key`


def find_style(model: Model) -> CacheStyle:
    """Return how a model's provider caches prompts; NONE if the model's `drop` turns it off."""
    host = urlsplit(model.base_url).hostname or ""
    if model.api == "messages":
        style, field = CacheStyle.BLOCKS, _MARK
    elif _is_at(model, host, "openrouter", "openrouter.ai") and model.model.startswith(_OPENROUTER_MODELS):
        style, field = CacheStyle.PARTS, _MARK
    elif _is_at(model, host, "openai", "api.openai.com"):
        style, field = CacheStyle.KEY, _KEY
    else:
        return CacheStyle.NONE
    return CacheStyle.NONE if field in model.drop else style


def _is_at(model: Model, host: str, provider: str, provider_host: str) -> bool:
    return model.provider == provider or host == provider_host


def prepare_for_cache(style: CacheStyle, messages: Messages, fields: Fields, quirks: Iterable[Quirk]) -> Fitted:
    """Return a request with the hints that the provider's prompt cache needs, unless the client has set its own.

    `quirks` are those that the request will be fitted to: breakpoints that were refused are not set again.
    """
    if style is CacheStyle.NONE:
        return messages, fields
    if style is CacheStyle.KEY:
        return messages, _add_key(messages, fields)
    if any(quirk.name == _MARK for quirk in quirks) or _has_breakpoints(messages, fields, style):
        return messages, fields
    return _mark_messages(messages, style), _mark_tools(fields) if style is CacheStyle.BLOCKS else fields


def _add_key(messages: Messages, fields: Fields) -> Fields:
    """Add a key that all turns of a conversation with this model share: a digest, from which no text can be read."""
    if _KEY in fields:
        return fields
    beginning = Conversation.of(messages).digest_beginning()
    kind = f"{fields.get('model')} {'tools' in fields}"  # tools come first in the prompt
    return {**fields, _KEY: hashlib.sha256(beginning + kind.encode()).hexdigest()[:32]}


def _has_breakpoints(messages: Messages, fields: Fields, style: CacheStyle) -> bool:
    if _MARK in fields or any(_is_marked(tool) for tool in fields.get("tools") or ()):
        return True
    return any(_is_message_marked(message, style) for message in messages)


def _is_message_marked(message: Message, style: CacheStyle) -> bool:
    """Whether a message goes out with breakpoints; those of a Messages client do so only in its own API."""
    base = message.base if isinstance(message, ExtendedMessage) and message.base is not None else message
    if _has_marked_part(base) or _is_marked(base):
        return True
    if not isinstance(base, NativeMessage) or style is not CacheStyle.BLOCKS:
        return False
    if any(map(_has_marked_part, base.originals)):
        return True
    request = base.request or {}
    return any(_is_marked(each) for name in ("system", "tools") for each in _list_of(request.get(name)))


def _has_marked_part(message: Message) -> bool:
    return any(map(_is_marked, _list_of(message.get("content"))))


def _list_of(content: Any) -> Sequence[Any]:
    return content if isinstance(content, list) else ()


def _is_marked(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value.get(_MARK))


def _mark_tools(fields: Fields) -> Fields:
    """Set a breakpoint after the tools."""
    tools = fields.get("tools")
    if not isinstance(tools, list) or not tools or not isinstance(tools[-1], dict):
        return fields
    return {**fields, "tools": [*tools[:-1], {**tools[-1], _MARK: BREAKPOINT}]}


# Where breakpoints go, and why all messages change their form.
#
# Anthropic allows four. One goes after the tools, one after the leading system messages, and one at the end of the
# last message that the next turn will repeat: the client's last one. Behind it may stand text of the gateway's own
# (candidates, advice), which is another one every time. The next turn's last breakpoint lies further on, and finds this
# one by looking back over at most twenty blocks, so a fourth would only help turns with more than that.
# A breakpoint needs a list of parts to stand in, and that message is without it on the next turn. So that only the mark
# itself differs, every message that may ever carry one is sent as parts.


def _mark_messages(messages: Messages, style: CacheStyle) -> Conversation:
    messages = [
        _put_in_parts(message) if style is CacheStyle.PARTS else _put_in_blocks(message) for message in messages
    ]
    places = {_find_end_of_system(messages), _find_last_repeated(messages)} - {None}
    return Conversation(
        _set_breakpoint(message) if position in places else message for position, message in enumerate(messages)
    )


def _find_end_of_system(messages: Messages) -> int | None:
    """Return the position of the last leading system message, or None if there is none."""
    n_leading = next((at for at, each in enumerate(messages) if each.get("role") not in _SYSTEM_ROLES), len(messages))
    return n_leading - 1 if n_leading else None


def _find_last_repeated(messages: Messages) -> int | None:
    """Return the position of the last message that the next turn will repeat and that can carry a breakpoint."""
    for position in range(len(messages) - 1, -1, -1):
        message = messages[position]
        base = message.base if isinstance(message, ExtendedMessage) else message
        is_sent = not isinstance(base, NativeMessage) or bool(base.originals)  # else an earlier one is sent for it
        if base is not None and is_sent and base.get("role") in _MARKED_ROLES and _list_parts(base):
            return position
    return None


def _put_in_blocks(message: Message) -> Message:
    """Return a Messages client's message with its text in blocks; others are written so in any case."""
    if isinstance(message, ExtendedMessage) and isinstance(message.base, NativeMessage):
        return ExtendedMessage(message, message.base.in_blocks(), message.blocks)
    return message.in_blocks() if isinstance(message, NativeMessage) else message


def _put_in_parts(message: Message) -> Message:
    if isinstance(message, ExtendedMessage):
        return message if message.base is None else _extend(_put_in_parts(message.base), message)
    parts = _list_parts(message) if message.get("role") in _MARKED_ROLES else []
    return {**message, "content": parts} if parts else message


def _set_breakpoint(message: Message) -> Message:
    """Return a message with a breakpoint at the end of what the client sent."""
    if isinstance(message, ExtendedMessage):
        return message if message.base is None else _extend(_set_breakpoint(message.base), message)
    parts = _list_parts(message)
    if not parts:
        return message
    fields = {**message, "content": [*parts[:-1], {**parts[-1], _MARK: BREAKPOINT}]}
    return message.mark(fields, BREAKPOINT) if isinstance(message, NativeMessage) else fields


def _extend(base: Message, message: ExtendedMessage) -> Message:
    """Return a message with another base, whose content is parts, and the same text of the gateway's behind it."""
    if not isinstance(base.get("content"), list):
        return message
    blocks = [{"type": "text", "text": block} for block in message.blocks]
    return ExtendedMessage({**message, "content": [*base["content"], *blocks]}, base, message.blocks)


def _list_parts(message: Message) -> list[Any]:
    """Return a message's content as parts; empty if its last part cannot carry a breakpoint."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    parts = list(_list_of(content))
    return parts if parts and isinstance(parts[-1], dict) and parts[-1].get("text") != "" else []
