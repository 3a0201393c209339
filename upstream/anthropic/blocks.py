"""Content blocks of Anthropic's Messages, translated to and from content parts of Chat Completions. Pure.

Shapes: https://docs.anthropic.com/en/api/messages and https://platform.openai.com/docs/api-reference/chat/create.
Chat Completions is the form in which the rest of the gateway handles a conversation, so both the Messages client API
and the Messages upstream use this one translation.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Block = Mapping[str, Any]
Part = dict[str, Any]

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,", re.ASCII)


class ShapeError(ValueError):
    """A value of a request has the wrong shape. `path` names the field, `problem` says what is wrong with it."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def list_blocks(content: Any, path: str) -> Sequence[Block]:
    """Return content as blocks, whether it is a string or a list of blocks. Raises ShapeError for anything else."""
    if content is None:
        return ()
    if isinstance(content, str):
        return ({"type": "text", "text": content},)
    if not isinstance(content, list):
        raise ShapeError(path, "must be a string or an array of content blocks")
    for position, block in enumerate(content):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise ShapeError(f"{path}[{position}]", "must be an object with a string `type`")
    return content


def parts_from_blocks(blocks: Iterable[Block], path: str) -> list[Part]:
    """Return the content parts for a user's text, image and document blocks. Raises ShapeError for other blocks."""
    parts: list[Part] = []
    for position, block in enumerate(blocks):
        parts += _read_block(block, f"{path}[{position}]")
    return parts


def _read_block(block: Block, path: str) -> list[Part]:
    match block["type"]:
        case "text":
            return [_text_part(_expect_string(block, "text", path))]
        case "image":
            return [{"type": "image_url", "image_url": {"url": _source_url(block, path)}}]
        case "document":
            return _read_document(block, path)
        case "search_result":
            found = parts_from_blocks(list_blocks(block.get("content"), f"{path}.content"), f"{path}.content")
            head = " ".join(str(block[key]) for key in ("title", "source") if block.get(key))
            return [_text_part(f"Search result: {head}\n{join_text(found)}")]
        case "tool_reference":
            return [_text_part(f"Tool: {block.get('tool_name', '')}")]
        case kind:
            raise ShapeError(f"{path}.type", f"is {kind!r}, which cannot be sent to a model here")


def _text_part(text: str) -> Part:
    return {"type": "text", "text": text}


def _expect_string(block: Block, key: str, path: str) -> str:
    value = block.get(key)
    if not isinstance(value, str):
        raise ShapeError(f"{path}.{key}", "must be a string")
    return value


def _source_url(block: Block, path: str) -> str:
    source = block.get("source")
    kind = source.get("type") if isinstance(source, dict) else None
    if isinstance(source, dict) and kind == "base64":
        media_type = _expect_string(source, "media_type", f"{path}.source")
        return f"data:{media_type};base64,{_expect_string(source, 'data', f'{path}.source')}"
    if isinstance(source, dict) and kind == "url":
        return _expect_string(source, "url", f"{path}.source")
    raise ShapeError(f"{path}.source", "must be base64 data or a URL; files stored at Anthropic cannot be read here")


def _read_document(block: Block, path: str) -> list[Part]:
    source = block.get("source")
    title = block.get("title") if isinstance(block.get("title"), str) else None
    kind = source.get("type") if isinstance(source, dict) else None
    if isinstance(source, dict) and kind == "text":
        text = _expect_string(source, "data", f"{path}.source")
        return [_text_part(f"{title}\n{text}" if title else text)]
    if isinstance(source, dict) and kind == "content":
        where = f"{path}.source.content"
        return parts_from_blocks(list_blocks(source.get("content"), where), where)
    return [{"type": "file", "file": {"filename": title or "document.pdf", "file_data": _source_url(block, path)}}]


def blocks_from_content(content: Any) -> list[dict[str, Any]]:
    """Return the blocks for a message's content in Chat Completions: a string, a list of parts, or None."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    blocks: list[dict[str, Any]] = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict):
            blocks += _write_part(part)
    return blocks


def _write_part(part: Mapping[str, Any]) -> list[dict[str, Any]]:
    kept = {"cache_control": part["cache_control"]} if part.get("cache_control") else {}
    match part.get("type"):
        case "text" if part.get("text"):
            return [{"type": "text", "text": part["text"], **kept}]
        case "refusal" if part.get("refusal"):
            return [{"type": "text", "text": part["refusal"], **kept}]
        case "image_url":
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, dict) else image
            return [{"type": "image", "source": _source(str(url)), **kept}]
        case "file":
            file = part.get("file") or {}
            title = {"title": file["filename"]} if file.get("filename") else {}
            return [{"type": "document", "source": _source(str(file.get("file_data"))), **title, **kept}]
        case _:
            return []


def _source(url: str) -> dict[str, Any]:
    start = _DATA_URL.match(url)
    if start is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": start[1], "data": url[start.end() :]}


def join_text(parts: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of content parts, one part a line."""
    return "\n".join(part["text"] for part in parts if part.get("type") == "text")


def text_of_blocks(blocks: Iterable[Block]) -> str:
    """Return the text of an answer's blocks, without anything between them."""
    return "".join(str(block.get("text") or "") for block in blocks if block.get("type") == "text")


def call_from_block(block: Block, path: str) -> dict[str, Any]:
    """Return the tool call of Chat Completions for a `tool_use` block. Raises ShapeError without an id or a name."""
    arguments = block.get("input")
    return {
        "id": _expect_string(block, "id", path),
        "type": "function",
        "function": {
            "name": _expect_string(block, "name", path),
            "arguments": json.dumps({} if arguments is None else arguments, ensure_ascii=False),
        },
    }


def block_from_call(call: Mapping[str, Any], position: int = 0) -> dict[str, Any]:
    """Return the `tool_use` block for a tool call of Chat Completions.

    Arguments that are no JSON object are kept under `_arguments`, because `input` must be an object.
    """
    function = call.get("function") or call.get("custom") or {}
    stated = function.get("arguments", function.get("input"))
    return {
        "type": "tool_use",
        "id": call.get("id") or f"toolu_{position}",
        "name": function.get("name") or "",
        "input": read_arguments(stated),
    }


def read_arguments(stated: Any) -> dict[str, Any]:
    """Return a tool call's arguments as an object, from JSON text or from an object."""
    if isinstance(stated, dict):
        return stated
    if not stated:
        return {}
    try:
        value = json.loads(stated)
    except (ValueError, TypeError, RecursionError):
        return {"_arguments": str(stated)}
    return value if isinstance(value, dict) else {"_arguments": stated}


# Opaque fields that a client stores and returns with a model's own tool calls.
#
# Reasoning models want the reasoning of earlier turns returned unchanged: Anthropic's as signed thinking blocks, others
# as `reasoning_content` or `reasoning_details`. The gateway keeps no conversations, so the client has to carry these
# fields. Messages has one opaque field for that purpose, a thinking block's `signature`; Responses has a reasoning
# item's `encrypted_content`. Fields of other providers are packed into that field under a prefix of our own, and
# unpacked when the client sends it back.

_OPAQUE_PREFIX = "mom1."


def pack_opaque(fields: Mapping[str, Any]) -> str:
    """Return message fields as one opaque ASCII string that `unpack_opaque` reads."""
    return _OPAQUE_PREFIX + base64.urlsafe_b64encode(json.dumps(fields).encode()).decode("ascii")


def unpack_opaque(text: Any) -> dict[str, Any] | None:
    """Return the fields of a string made by `pack_opaque`, or None if it is something else."""
    if not isinstance(text, str) or not text.startswith(_OPAQUE_PREFIX):
        return None
    try:
        fields = json.loads(base64.urlsafe_b64decode(text[len(_OPAQUE_PREFIX) :]))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None
