"""Putting a request in the words that a given model can take. Pure.

Members of a panel advise and never call tools; a model that cannot be held to JSON, or cannot see, is told in words.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from config.settings import Model
from synth.contract.contract import Contract, Form
from synth.contract.tool_calls import list_tools
from synth.request import ChatRequest, Message
from upstream.openai.conversation import append_block

TOOL_FIELDS = frozenset({"tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"})

_TOOLS_IN_WORDS = """\
---
The reply to this conversation may use the tools below, which you cannot call yourself. Say what you would reply: \
which tool to call with which arguments and why, or the answer itself where no tool is needed.

{tools}"""

_JSON_IN_WORDS = "---\nReply with one JSON {kind} and nothing else: no fence, no words around it.{schema}"

_TO_BE_SEEN = frozenset(
    {"image", "image_url", "input_image", "audio", "input_audio", "file", "input_file", "document", "video"}
)

Adapted = tuple[Sequence[Message], Mapping[str, Any]]


def adapt_for_proposer(request: ChatRequest, contract: Contract, model: Model) -> Adapted:
    """Return the messages and params for a member of the panel."""
    messages: Sequence[Message] = request.messages
    params: Mapping[str, Any] = request.params
    if not TOOL_FIELDS.isdisjoint(params):
        params = {name: value for name, value in params.items() if name not in TOOL_FIELDS}
    if contract.form is Form.TOOLS:  # advice on which tool to call is in words, whatever form the answer itself has
        advice = {name: value for name, value in params.items() if name != "response_format"}
        return append_block(messages, _TOOLS_IN_WORDS.replace("{tools}", _described(request.params, contract))), advice
    return _in_json_words(messages, params, contract, model)


def adapt_for_critic(messages: Sequence[Message], request: ChatRequest, contract: Contract, model: Model) -> Adapted:
    """Return the messages and params for the model that writes the answer."""
    messages = describe_media(messages, model)
    params = request.params
    if "tools" not in model.capabilities and not TOOL_FIELDS.isdisjoint(params):
        params = {name: value for name, value in params.items() if name not in TOOL_FIELDS}
    return _in_json_words(messages, params, contract, model)


def describe_media(messages: Sequence[Message], model: Model) -> Sequence[Message]:
    """Return the messages as a model can read them: to one that cannot see, pictures are told of in words."""
    return messages if "vision" in model.capabilities else _without_pictures(messages)


def needs_vision(messages: Sequence[Message]) -> bool:
    """Whether a conversation has parts that are to be seen or heard."""
    for message in messages:
        content = message.get("content")
        if isinstance(content, list) and not all(map(_is_text, content)):
            return True
    return False


def _in_json_words(messages: Sequence[Message], params: Mapping[str, Any], contract: Contract, model: Model) -> Adapted:
    kind = "json_schema" if contract.schema is not None else "json_object"
    if not contract.json or kind in model.capabilities:
        return messages, params
    rest = {name: value for name, value in params.items() if name != "response_format"}
    if "json_object" in model.capabilities:
        rest["response_format"] = {"type": "json_object"}
    schema = "" if contract.schema is None else f" It must fit this JSON Schema:\n{json.dumps(contract.schema)}"
    words = _JSON_IN_WORDS.replace("{kind}", "object" if contract.schema is None else "value").replace(
        "{schema}", schema
    )
    return append_block(messages, words), rest


def _described(params: Mapping[str, Any], contract: Contract) -> str:
    return "\n\n".join(
        f"{tool['name']}: {tool.get('description') or 'no description'}\n"
        f"arguments: {json.dumps(tool.get('parameters') or tool.get('format') or {}, ensure_ascii=False)}"
        for tool in list_tools(params)
        if tool["name"] in contract.tools
    )


def _without_pictures(messages: Sequence[Message]) -> Sequence[Message]:
    if not needs_vision(messages):
        return messages
    return [
        {**message, "content": [_seen(part) for part in _parts(message)]} if _parts(message) else message
        for message in messages
    ]


def _seen(part: Mapping[str, Any]) -> Mapping[str, Any]:
    return (
        part
        if _is_text(part)
        else {"type": "text", "text": f"[a part of type {part['type']} stood here; you can't see it]"}
    )


def _parts(message: Message) -> Sequence[Mapping[str, Any]]:
    content = message.get("content")
    return content if isinstance(content, list) else ()


def _is_text(part: Mapping[str, Any]) -> bool:
    return part["type"] not in _TO_BE_SEEN
