"""Whole conversations of Anthropic's Messages, translated to and from messages of Chat Completions. Pure.

A message from a Messages client keeps its original beside the translation (`NativeMessage`). An upstream that speaks
Messages receives the original, so nothing is lost; all others receive the translation. A message that the gateway
rewrites or adds has no original and is translated.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from upstream.anthropic.blocks import (
    Block,
    Part,
    ShapeError,
    block_from_call,
    blocks_from_content,
    call_from_block,
    join_text,
    list_blocks,
    parts_from_blocks,
    unpack_opaque,
)
from upstream.openai.conversation import ExtendedMessage

Message = Mapping[str, Any]

_BILLING_LINE = "x-anthropic-billing-header:"
_ROLES = ("user", "assistant", "system")
_SERVER_TOOL_BLOCKS = ("server_tool_use", "web_search_tool_result", "code_execution_tool_result", "mcp_tool_use")
_RETURNED_FIELDS = ("reasoning_content", "reasoning_details", "extra_content")


class NativeMessage(dict[str, Any]):
    """A message of Chat Completions with the messages of Anthropic's Messages that it was translated from.

    `originals` are those messages in order: none for the second and further translations of one original (a user
    message with tool results becomes several), two if a system message behind this one was moved to the front.
    `request` is the body that the first message of a conversation came in, None for all others. JSON encoders see only
    the translation.
    """

    __slots__ = ("originals", "request")

    def __init__(self, fields: Mapping[str, Any], originals: Iterable[Message] = ()) -> None:
        super().__init__(fields)
        self.originals = list(originals)
        self.request: Mapping[str, Any] | None = None

    def in_blocks(self) -> "NativeMessage":
        """Return the message with the text of its originals in blocks, as it is with a breakpoint in it."""
        copy = NativeMessage(self, tuple(map(_put_in_blocks, self.originals)))
        copy.request = self.request
        return copy

    def mark(self, fields: Mapping[str, Any], mark: Mapping[str, Any]) -> "NativeMessage":
        """Return a copy with these fields, and with `mark` on the last block that it is sent as."""
        marked = [_mark_content(original, "content", mark) for original in self.originals[-1:]]
        copy = NativeMessage(fields, (*self.originals[:-1], *marked))
        copy.request = self.request
        if self.request is not None and not self.originals:
            copy.request = _mark_content(self.request, "system", mark)
        return copy


def _put_in_blocks(message: Message) -> Message:
    content = message.get("content")
    return {**message, "content": list(list_blocks(content, "content"))} if content else message


def _mark_content(holder: Mapping[str, Any], name: str, mark: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a message, or a request, with a mark on the last block of its content, unless that is empty."""
    blocks = list_blocks(holder.get(name), name)
    if not blocks or blocks[-1].get("text") == "":
        return holder
    return {**holder, name: [*blocks[:-1], {**blocks[-1], "cache_control": mark}]}


def read_conversation(body: Mapping[str, Any]) -> list[NativeMessage]:
    """Return the messages of Chat Completions for a body of the Messages API. Raises ShapeError if they are invalid.

    System messages before the first assistant turn join the leading system message, since many models accept only that
    one. Later ones keep their place.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ShapeError("messages", "must be an array with at least one message")
    leading = [block for block in list_blocks(body.get("system"), "system") if not _is_billing_line(block)]
    found: list[NativeMessage] = []
    moved: list[Message] = []
    has_assistant = False
    for position, message in enumerate(messages):
        path = f"messages[{position}]"
        role = _read_role(message, path)
        blocks = list_blocks(message.get("content"), f"{path}.content")
        has_assistant = has_assistant or role == "assistant"
        if role == "system" and not has_assistant:
            leading += blocks
            if found:
                found[-1].originals.append(message)
            else:
                moved.append(message)
            continue
        originals = [*moved, message]
        moved = []
        found += _read_message(role, originals, blocks, f"{path}.content")
    if not found:
        raise ShapeError("messages", "must hold at least one user message")
    if leading:
        text = join_text(parts_from_blocks(leading, "system"))
        found.insert(0, NativeMessage({"role": "system", "content": text}))
    found[0].request = body
    return found


def _read_message(
    role: str, originals: Sequence[Message], blocks: Sequence[Block], path: str
) -> Iterable[NativeMessage]:
    if role == "assistant":
        return [NativeMessage(_read_assistant(blocks, path), originals)]
    if role == "user":
        translations = _read_user(blocks, path)
        return [NativeMessage(each, () if position else originals) for position, each in enumerate(translations)]
    return [NativeMessage({"role": "system", "content": join_text(parts_from_blocks(blocks, path))}, originals)]


def _is_billing_line(block: Block) -> bool:
    return str(block.get("text", "")).startswith(_BILLING_LINE)


def _read_role(message: Any, path: str) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in _ROLES:
        raise ShapeError(f"{path}.role", f"must be one of {', '.join(_ROLES)}")
    if message.get("content") is None:
        raise ShapeError(f"{path}.content", "is required: a string or an array of content blocks")
    return str(role)


def _read_user(blocks: Sequence[Block], path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    parts: list[Part] = []
    for position, block in enumerate(blocks):
        where = f"{path}[{position}]"
        if block["type"] != "tool_result":
            parts += parts_from_blocks([block], path)
            continue
        result, media = _read_tool_result(block, where)
        found.append(result)
        parts += media
    if parts or not found:
        found.append({"role": "user", "content": _simplify(parts)})
    return found


def _read_tool_result(block: Block, path: str) -> tuple[dict[str, Any], list[Part]]:
    """Return a `tool` message, and the parts that such a message cannot hold: images and files."""
    identifier = block.get("tool_use_id")
    if not isinstance(identifier, str):
        raise ShapeError(f"{path}.tool_use_id", "must be a string")
    parts = parts_from_blocks(list_blocks(block.get("content"), f"{path}.content"), f"{path}.content")
    text = join_text(parts)
    media = [part for part in parts if part["type"] != "text"]
    if block.get("is_error"):
        text = f"Error: {text}" if text else "Error"
    if media:
        media.insert(0, {"type": "text", "text": f"Attached to the result of {identifier}:"})
    return {"role": "tool", "tool_call_id": identifier, "content": text}, media


def _simplify(parts: list[Part]) -> str | list[Part]:
    """Return a single text part as a plain string, the form that every upstream accepts."""
    if all(part["type"] == "text" for part in parts) and len(parts) <= 1:
        return "".join(part["text"] for part in parts)
    return parts


def _read_assistant(blocks: Sequence[Block], path: str) -> dict[str, Any]:
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    returned: dict[str, Any] = {}
    for position, block in enumerate(blocks):
        where = f"{path}[{position}]"
        match block["type"]:
            case "text":
                texts.append(join_text(parts_from_blocks([block], path)))
            case "tool_use":
                calls.append(call_from_block(block, where))
            case "thinking":
                fields = unpack_opaque(block.get("signature")) or {}
                returned |= {key: fields[key] for key in _RETURNED_FIELDS if key in fields}
            case "redacted_thinking":
                pass
            case kind if kind not in _SERVER_TOOL_BLOCKS:
                raise ShapeError(f"{where}.type", f"is {kind!r}, which an assistant message cannot hold here")
    text = "".join(texts)
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else ""), **returned}
    if calls:
        message["tool_calls"] = calls
    return message


def write_conversation(messages: Iterable[Message]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return (`system` blocks, `messages`) of a Messages request for messages of Chat Completions.

    A message with originals is sent as these. Consecutive messages of one role become one, as the API requires.
    """
    system: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for message in messages:
        if not isinstance(message, ExtendedMessage):
            _write_message(message, system, found)
            continue
        if message.base is not None:
            _write_message(message.base, system, found)
        _append(found, "user", [{"type": "text", "text": block} for block in message.blocks])
    return system, found


def _write_message(message: Message, system: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
    role = message.get("role")
    if isinstance(message, NativeMessage):
        if message.request is not None:
            system += _original_system(message.request)
        found += [dict(original) for original in message.originals]
    elif role in ("system", "developer") and not found:
        system += blocks_from_content(message.get("content"))
    elif role == "assistant":
        _append(found, "assistant", write_assistant(message))
    elif role in ("tool", "function"):
        _append(found, "user", [_tool_result(message)])
    else:
        _append(found, "user", blocks_from_content(message.get("content")))


def _original_system(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(block) for block in list_blocks(request.get("system"), "system") if not _is_billing_line(block)]


class _Joined(list[Any]):
    """The blocks of several messages in a row: a list of our own, which may grow."""


def _append(found: list[dict[str, Any]], role: str, blocks: list[dict[str, Any]]) -> None:
    if not blocks:
        return
    if found and found[-1]["role"] == role:
        before = found[-1]["content"]
        if isinstance(before, _Joined):
            before += blocks
        else:
            joined = _Joined([*list_blocks(before, "content"), *blocks])
            found[-1] = {**found[-1], "content": joined}
    else:
        found.append({"role": role, "content": blocks})


def _tool_result(message: Message) -> dict[str, Any]:
    """Return the result's block. A breakpoint inside belongs to the block itself: nested ones are not heeded."""
    blocks = blocks_from_content(message.get("content"))
    result = {
        "type": "tool_result",
        "tool_use_id": message.get("tool_call_id") or message.get("name") or "",
        "content": [{name: value for name, value in block.items() if name != "cache_control"} for block in blocks],
    }
    marks = [block["cache_control"] for block in blocks if "cache_control" in block]
    return {**result, "cache_control": marks[-1]} if marks else result


def write_assistant(message: Message) -> list[dict[str, Any]]:
    """Return the blocks of an assistant message: signed thinking first, then text, then tool calls."""
    thinking = message.get("thinking_blocks")
    blocks = [dict(block) for block in thinking] if isinstance(thinking, list) else []
    blocks += blocks_from_content(message.get("content"))
    calls = message.get("tool_calls")
    blocks += [block_from_call(call, position) for position, call in enumerate(calls or ())]
    return blocks
