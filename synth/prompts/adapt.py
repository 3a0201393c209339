"""Fits a request to the role and the capabilities of the model that is asked. Pure.

Members of a panel advise and never call tools. Features that a model's configured `capabilities` lack are replaced by
text: tools, images, a demand for JSON. Refusals beyond that are handled later (upstream/openai/quirks.py).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from config.settings import Model
from synth.contract.contract import Contract, Form
from synth.request import ChatRequest, Message
from upstream.openai.conversation import append_block
from upstream.openai.quirks import TOOL_FIELDS, Action, Quirk, leave_out
from upstream.openai.text_fallbacks import has_media, replace_media
from upstream.openai.tools import list_tools

_TOOLS_AS_TEXT = """\
---
The reply to this conversation may use the tools below, which you cannot call yourself. Say what you would reply: \
which tool to call with which arguments and why, or the answer itself where no tool is needed.

{tools}"""

Adapted = tuple[Sequence[Message], Mapping[str, Any]]


def adapt_for_proposer(request: ChatRequest, contract: Contract, model: Model) -> Adapted:
    """Return the messages and params for a member of the panel."""
    messages, params = request.messages, leave_out(request.params, TOOL_FIELDS)
    if contract.form is Form.TOOLS:  # advice on which tool to call is text, whatever the form of the answer
        words = _TOOLS_AS_TEXT.replace("{tools}", _describe_tools(request.params, contract))
        return append_block(messages, words), leave_out(params, {"response_format"})
    return _ask_for_json(messages, params, contract, model)


def adapt_for_critic(messages: Sequence[Message], request: ChatRequest, contract: Contract, model: Model) -> Adapted:
    """Return the messages and params for the model that writes the answer."""
    params = request.params if "tools" in model.capabilities else leave_out(request.params, TOOL_FIELDS)
    return _ask_for_json(describe_media(messages, model), params, contract, model)


def describe_media(messages: Sequence[Message], model: Model) -> Sequence[Message]:
    """Return the messages as a model can read them: with a note for each image, if it lacks `vision`."""
    return messages if "vision" in model.capabilities else replace_media(messages)


def needs_vision(messages: Sequence[Message]) -> bool:
    """Whether a conversation has images, audio or files."""
    return has_media(messages)


def _ask_for_json(messages: Sequence[Message], params: Mapping[str, Any], contract: Contract, model: Model) -> Adapted:
    """Ask for JSON in a way that the model supports: by the other `response_format`, or else in the prompt."""
    kind = (params.get("response_format") or {}).get("type")
    if not contract.json or kind in model.capabilities:
        return messages, params
    other = "json_object" if kind == "json_schema" else "json_schema"
    return Quirk(Action.FORMAT, str(kind), other if other in model.capabilities else "").apply(messages, params)


def _describe_tools(params: Mapping[str, Any], contract: Contract) -> str:
    return "\n\n".join(
        f"{tool['name']}: {tool.get('description') or 'no description'}\n"
        f"arguments: {json.dumps(tool.get('parameters') or tool.get('format') or {}, ensure_ascii=False)}"
        for tool in list_tools(params)
        if tool["name"] in contract.tools
    )
