"""Replaces images, tool turns and `response_format` by text, for models that do not accept them. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from upstream.openai.conversation import Conversation, Message, append_block

_MEDIA = frozenset(
    {
        "image",
        "image_url",
        "input_image",
        "audio",
        "input_audio",
        "file",
        "input_file",
        "document",
        "video",
        "video_url",
    }
)
_JSON = "---\nReply with one JSON {kind} and nothing else: no fence, no words around it.{schema}"
_UNNAMED = "a tool"


def is_media(part: Any) -> bool:
    """Whether a content part is an image, audio or a file."""
    return isinstance(part, dict) and part.get("type") in _MEDIA


def has_media(messages: Sequence[Message]) -> bool:
    """Whether a conversation has images, audio or files."""
    contents = [message.get("content") for message in messages]
    return any(any(map(is_media, content)) for content in contents if isinstance(content, list))


def has_tool_turns(messages: Sequence[Message]) -> bool:
    """Whether a conversation has tool calls or their results."""
    return any(message.get("role") in ("tool", "function") or _list_calls(message) for message in messages)


def replace_media(messages: Sequence[Message]) -> Sequence[Message]:
    """Return the messages with a note in place of each image, audio part and file."""
    if not has_media(messages):
        return messages
    return [_replace_parts(message) for message in messages]


def _replace_parts(message: Message) -> Message:
    content = message.get("content")
    if not isinstance(content, list) or not any(map(is_media, content)):
        return message
    return {**message, "content": [_note(part) if is_media(part) else part for part in content]}


def _note(part: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "text", "text": f"[a part of type {part['type']} stood here; you can't see it]"}


def replace_tool_turns(messages: Sequence[Message]) -> Sequence[Message]:
    """Return the messages with tool calls as words of the assistant's, and their results as words of the user's."""
    if not has_tool_turns(messages):
        return messages
    names = {call.get("id"): _name(call) for message in messages for call in _list_calls(message)}
    return [_describe(message, names) for message in messages]


def _describe(message: Message, names: Mapping[Any, str]) -> Message:
    if message.get("role") in ("tool", "function"):
        name = message.get("name") or names.get(message.get("tool_call_id")) or _UNNAMED
        return {"role": "user", "content": f"[The result of {name}:]\n{flatten(message.get('content'))}"}
    calls = _list_calls(message)
    if not calls:
        return message
    words = [f"[I call {_name(call)} with {_arguments(call)}]" for call in calls]
    rest = {key: value for key, value in message.items() if key not in ("tool_calls", "function_call")}
    return {**rest, "content": "\n".join(filter(None, [flatten(message.get("content")), *words]))}


def _list_calls(message: Message) -> list[Mapping[str, Any]]:
    calls = message.get("tool_calls")
    listed: list[Mapping[str, Any]] = []
    if isinstance(calls, list):
        listed += [call for call in calls if isinstance(call, dict)]
    if isinstance(message.get("function_call"), dict):
        listed.append({"function": message["function_call"]})
    return listed


def _name(call: Mapping[str, Any]) -> str:
    function = call.get("function") or call.get("custom")
    return str(function.get("name") or _UNNAMED) if isinstance(function, dict) else _UNNAMED


def _arguments(call: Mapping[str, Any]) -> str:
    function = call.get("function") or call.get("custom")
    return str(function.get("arguments") or function.get("input") or "{}") if isinstance(function, dict) else "{}"


def flatten(content: Any) -> str:
    """Return the text of a message's content: of its text parts, if it has parts."""
    if isinstance(content, list):
        return "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and part.get("text"))
    return "" if content is None else str(content)


def demand_json(messages: Sequence[Message], schema: Any = None) -> Conversation:
    """Return the messages with a demand for JSON at their end: an object, or a value that fits a JSON Schema."""
    fits = "" if schema is None else f" It must fit this JSON Schema:\n{json.dumps(schema)}"
    kind = "object" if schema is None else "value"
    return append_block(messages, _JSON.replace("{kind}", kind).replace("{schema}", fits))
