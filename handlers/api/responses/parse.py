"""Parse an OpenAI Responses request into a ChatRequest. Every error names the path of the field. Pure.

Shape: https://platform.openai.com/docs/api-reference/responses/create. The gateway stores no responses: `store: true`
is accepted and answered with `store: false`, and a request that needs a stored response is refused. Fields that
describe the client (`client_metadata`, `metadata`) never reach an upstream.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from handlers.api.intake.body import refuse
from handlers.api.intake.steering import read_steering
from handlers.api.responses.shape import expect, expect_list
from handlers.api.responses.tools import ToolTable, custom_arguments
from runtime.frozen import frozen
from synth.request import ChatRequest
from upstream.anthropic.blocks import unpack_opaque
from upstream.openai.conversation import Conversation

_ROLES = ("user", "assistant", "system", "developer")
_SAME_NAMES = ("temperature", "top_p", "parallel_tool_calls", "prompt_cache_key", "user")
_CALLS = ("function_call", "custom_tool_call", "local_shell_call")
_OUTPUTS = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")
_SERVER_ITEMS = frozenset(
    {
        "code_interpreter_call",
        "compaction",
        "computer_call",
        "computer_call_output",
        "file_search_call",
        "image_generation_call",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "mcp_list_tools",
        "tool_search_call",
        "tool_search_output",
        "web_search_call",
    }
)
_TEXT_PARTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
_RETURNED_FIELDS = ("reasoning_content", "reasoning_details", "extra_content", "thinking_blocks")


@frozen
class ResponsesRequest:
    """A request with the facts that its reply needs: the tools, and the fields that a response repeats."""

    chat: ChatRequest
    tools: ToolTable
    echo: Mapping[str, Any]


def parse_responses(body: Mapping[str, Any]) -> ResponsesRequest:
    """Return the request in the decoded body of `POST /v1/responses`. Raises ApiError (400) if it is invalid."""
    _refuse_stored(body)
    _check_types(body)
    tools = ToolTable(expect_list(body.get("tools"), "tools"))
    choice = tools.read_choice(body.get("tool_choice"))
    params = {name: body[name] for name in _SAME_NAMES if body.get(name) is not None}
    if tools.functions:
        params["tools"] = tools.functions
        if choice is not None:
            params["tool_choice"] = choice
    else:
        params.pop("parallel_tool_calls", None)
    if body.get("max_output_tokens") is not None:
        params["max_completion_tokens"] = body["max_output_tokens"]
    params |= _read_reasoning(body.get("reasoning")) | _read_text(body.get("text"))
    chat = ChatRequest(
        model=body.get("model") or None,
        messages=Conversation(_read_input(body, tools)),
        params=params,
        stream=body.get("stream") or False,
        include_usage=True,
        steering=read_steering(body),
    )
    return ResponsesRequest(chat, tools, _echo(body))


def _refuse_stored(body: Mapping[str, Any]) -> None:
    for name in ("previous_response_id", "conversation", "prompt"):
        if body.get(name) is not None:
            refuse(name, "the gateway stores nothing; send the whole conversation as `input`", code="unsupported_value")
    if body.get("background"):
        refuse("background", "the gateway stores no responses; leave it out", code="unsupported_value")


def _check_types(body: Mapping[str, Any]) -> None:
    for name, kind in (("model", str), ("stream", bool), ("instructions", str), ("max_output_tokens", int)):
        if body.get(name) is not None:
            expect(kind, body[name], name)
    for name in ("temperature", "top_p"):
        if body.get(name) is not None and type(body[name]) not in (int, float):
            refuse(name, "must be a number")


def _read_reasoning(reasoning: Any) -> dict[str, Any]:
    if reasoning is None:
        return {}
    effort = expect(dict, reasoning, "reasoning").get("effort")
    return {"reasoning_effort": expect(str, effort, "reasoning.effort")} if effort is not None else {}


def _read_text(text: Any) -> dict[str, Any]:
    if text is None:
        return {}
    expect(dict, text, "text")
    found: dict[str, Any] = {}
    if isinstance(text.get("verbosity"), str):
        found["verbosity"] = text["verbosity"]
    wanted = text.get("format")
    kind = expect(dict, wanted, "text.format").get("type") if wanted is not None else "text"
    if kind == "json_schema":
        schema = {key: wanted[key] for key in ("description", "strict") if wanted.get(key) is not None}
        schema |= {
            "name": wanted.get("name") or "answer",
            "schema": expect(dict, wanted.get("schema"), "text.format.schema"),
        }
        found["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif kind == "json_object":
        found["response_format"] = {"type": "json_object"}
    elif kind != "text":
        refuse("text.format.type", "must be text, json_object or json_schema")
    return found


def _read_input(body: Mapping[str, Any], tools: ToolTable) -> list[dict[str, Any]]:
    items = body.get("input")
    reader = _InputReader(tools)
    if body.get("instructions"):
        reader.add_text("system", body["instructions"])
    if isinstance(items, str):
        reader.add_text("user", items)
    elif isinstance(items, list):
        for position, item in enumerate(items):
            reader.add(expect(dict, item, f"input[{position}]"), f"input[{position}]")
    else:
        refuse("input", "is required: a string or an array of items", code="missing_required_parameter")
    messages = reader.end()
    if not messages:
        refuse("input", "must hold at least one item")
    return messages


class _InputReader:
    """Collects input items into messages of Chat Completions.

    Items of one assistant turn (reasoning, text, calls) become one message, as Chat Completions has it. Instructions
    before the first assistant turn join one leading system message, since many models accept only that one.
    """

    def __init__(self, tools: ToolTable) -> None:
        self._messages: list[dict[str, Any]] = []
        self._leading: list[str] = []  # instructions
        self._said: list[Any] = []  # the contents of the assistant turn that is being read
        self._has_assistant = False
        self._tools = tools
        self._returned: dict[str, Any] = {}

    def end(self) -> list[dict[str, Any]]:
        """Return all messages."""
        self._end_turn()
        if not self._leading:
            return self._messages
        return [{"role": "system", "content": "\n".join(self._leading)}, *self._messages]

    def add_text(self, role: str, text: str) -> None:
        """Add a message of plain text."""
        self._add_message(role, text)

    def add(self, item: Mapping[str, Any], path: str) -> None:
        """Add one input item. Raises ApiError (400) for an item that is invalid or needs a stored response."""
        kind = expect(str, item.get("type", "message"), f"{path}.type")
        if kind == "message":
            role = item.get("role")
            if role not in _ROLES:
                refuse(f"{path}.role", f"must be one of {', '.join(_ROLES)}")
            if item.get("content") is None:
                refuse(f"{path}.content", "is required: a string or an array of content parts")
            self._add_message(str(role), _read_content(item.get("content"), f"{path}.content"))
        elif kind in _CALLS:
            self._add_call(item, path)
        elif kind in _OUTPUTS:
            self._add_output(item, path)
        elif kind == "reasoning":
            fields = unpack_opaque(item.get("encrypted_content")) or {}
            self._returned |= {name: fields[name] for name in _RETURNED_FIELDS if name in fields}
        elif kind == "item_reference":
            refuse(path, "the gateway stores nothing; send the item itself", code="unsupported_value")
        elif kind not in _SERVER_ITEMS:
            refuse(f"{path}.type", f"is {kind!r}, which is not a supported input item")

    def _add_message(self, role: str, content: Any) -> None:
        if role == "assistant":
            self._assistant()
            self._said.append(content)
        elif role in ("system", "developer") and not self._has_assistant:
            self._leading.append(_flatten(content))
        else:
            self._append({"role": "system" if role == "developer" else role, "content": content})

    def _append(self, message: dict[str, Any]) -> None:
        self._end_turn()
        self._messages.append(message)

    def _assistant(self) -> dict[str, Any]:
        """Return the assistant message of the turn that is being read."""
        if not self._messages or self._messages[-1]["role"] != "assistant":
            self._messages.append({"role": "assistant", "content": None})
            self._has_assistant = True
        message = self._messages[-1]
        message |= self._returned
        self._returned = {}
        return message

    def _end_turn(self) -> None:
        """Give the assistant message that was read its content: one as it is, or the texts of several."""
        said = [content for content in self._said if content] or self._said[-1:]
        if said:
            self._messages[-1]["content"] = said[0] if len(said) == 1 else "\n".join(map(_flatten, said))
        self._said = []

    def _add_call(self, item: Mapping[str, Any], path: str) -> None:
        identifier = expect(str, item.get("call_id") or item.get("id"), f"{path}.call_id")
        if item["type"] == "local_shell_call":
            name, arguments = "local_shell", json.dumps(item.get("action") or {})
        else:
            name = self._tools.function_name(expect(str, item.get("name"), f"{path}.name"), item.get("namespace"))
            if item["type"] == "custom_tool_call":
                arguments = custom_arguments(expect(str, item.get("input"), f"{path}.input"))
            else:
                arguments = expect(str, item.get("arguments"), f"{path}.arguments")
        function = {"name": name, "arguments": arguments}
        self._assistant().setdefault("tool_calls", []).append(
            {"id": identifier, "type": "function", "function": function}
        )

    def _add_output(self, item: Mapping[str, Any], path: str) -> None:
        identifier = expect(str, item.get("call_id") or item.get("id"), f"{path}.call_id")
        content = _read_content(item.get("output"), f"{path}.output")
        self._append({"role": "tool", "tool_call_id": identifier, "content": _flatten(content)})
        media = [part for part in content if part["type"] != "text"] if isinstance(content, list) else []
        if media:
            note = {"type": "text", "text": f"Attached to the result of {identifier}:"}
            self._append({"role": "user", "content": [note, *media]})


def _flatten(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if part["type"] == "text")
    return content or ""


def _read_content(content: Any, path: str) -> Any:
    """Return a message's content: a string, or a list of parts if it holds more than one text."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = [_read_part(part, f"{path}[{position}]") for position, part in enumerate(expect_list(content, path))]
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _read_part(part: Mapping[str, Any], path: str) -> dict[str, Any]:
    kind = part.get("type")
    if kind in _TEXT_PARTS:
        return {"type": "text", "text": expect(str, part.get("text"), f"{path}.text")}
    if kind == "refusal":
        return {"type": "text", "text": expect(str, part.get("refusal"), f"{path}.refusal")}
    if kind == "input_image":
        if not part.get("image_url"):
            refuse(f"{path}.image_url", "is required; files stored at OpenAI cannot be read here")
        image = {"url": expect(str, part["image_url"], f"{path}.image_url")}
        detail = {"detail": part["detail"]} if isinstance(part.get("detail"), str) else {}
        return {"type": "image_url", "image_url": {**image, **detail}}
    if kind == "input_audio":
        return {"type": "input_audio", "input_audio": part.get("input_audio")}
    if kind != "input_file":
        refuse(f"{path}.type", f"is {kind!r}, which is not a supported content part")
    data = part.get("file_data") or part.get("file_url")
    if not data:
        refuse(f"{path}.file_data", "is required; files stored at OpenAI cannot be read here")
    name = part.get("filename") or "document.pdf"
    return {"type": "file", "file": {"filename": name, "file_data": expect(str, data, f"{path}.file_data")}}


_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "parallel_tool_calls": True,
    "reasoning": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "metadata": {},
}


def _echo(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request's fields that a response object repeats."""
    stated: Sequence[str] = [name for name in _ECHOED if body.get(name) is not None]
    return {**_ECHOED, **{name: body[name] for name in stated}}
