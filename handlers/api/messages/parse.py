"""Parse an Anthropic Messages request into a ChatRequest. Every error names the path of the field. Pure.

Shape: https://docs.anthropic.com/en/api/messages. Unknown fields are ignored, as Anthropic's clients send new ones with
each release. Fields that describe the client rather than the question (metadata, safeguards, the billing line) never
reach an upstream.
"""

from collections.abc import Mapping
from typing import Any

from handlers.api.intake.steering import read_steering
from handlers.errors import ApiError
from synth.request import ChatRequest
from upstream.anthropic.blocks import ShapeError
from upstream.anthropic.conversation import read_conversation
from upstream.openai.conversation import Conversation

_TOOL_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_SAME_NAMES = ("max_tokens", "temperature", "top_p", "top_k")
_NUMBERS = ("temperature", "top_p", "top_k")


def parse_messages(body: Mapping[str, Any]) -> ChatRequest:
    """Return the request in the decoded body of `POST /v1/messages`. Raises ApiError (400) if it is invalid."""
    try:
        messages = read_conversation(body)
        _check_types(body)
        params = {name: body[name] for name in _SAME_NAMES if body.get(name) is not None}
        params |= _read_tools(body) | _read_output(body)
    except ShapeError as error:
        raise ApiError(400, str(error), param=error.path, code="invalid_value") from None
    if body.get("stop_sequences"):
        params["stop"] = body["stop_sequences"]
    return ChatRequest(
        model=body.get("model") or None,
        messages=Conversation(messages),
        params=params,
        stream=body.get("stream") or False,
        include_usage=True,
        steering=read_steering(body),
    )


def _check_types(body: Mapping[str, Any]) -> None:
    checks: Mapping[str, tuple[type, ...]] = {
        "model": (str,),
        "stream": (bool,),
        "max_tokens": (int,),
        "stop_sequences": (list,),
        "tools": (list,),
        "tool_choice": (dict,),
        "thinking": (dict,),
        "output_config": (dict,),
        **dict.fromkeys(_NUMBERS, (int, float)),
    }
    for name, types in checks.items():
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ShapeError(name, f"has the wrong type, {type(value).__name__}")
    if isinstance(body.get("max_tokens"), int) and body["max_tokens"] < 1:
        raise ShapeError("max_tokens", "must be at least 1")
    stops = body.get("stop_sequences") or ()
    if not all(isinstance(each, str) for each in stops):
        raise ShapeError("stop_sequences", "must be an array of strings")


def _read_tools(body: Mapping[str, Any]) -> dict[str, Any]:
    tools = [_read_tool(tool, f"tools[{position}]") for position, tool in enumerate(body.get("tools") or ())]
    callable_tools = [tool for tool in tools if tool is not None]
    if not callable_tools:
        return {}
    found: dict[str, Any] = {"tools": callable_tools}
    choice = body.get("tool_choice")
    if choice:
        kind = choice.get("type")
        if kind == "tool" and isinstance(choice.get("name"), str):
            found["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
        elif isinstance(kind, str) and kind in _TOOL_CHOICES:
            found["tool_choice"] = _TOOL_CHOICES[kind]
        else:
            raise ShapeError("tool_choice.type", "must be auto, any, none, or tool with a name")
        if choice.get("disable_parallel_tool_use"):
            found["parallel_tool_calls"] = False
    return found


def _read_tool(tool: Any, path: str) -> dict[str, Any] | None:
    """Return a function tool, or None for a placeholder that loads later or a tool that Anthropic's servers run."""
    if not isinstance(tool, dict):
        raise ShapeError(path, "must be an object")
    if tool.get("defer_loading") or tool.get("type", "custom") != "custom":
        return None
    if not isinstance(tool.get("name"), str):
        raise ShapeError(f"{path}.name", "must be a string")
    schema = tool.get("input_schema")
    if not isinstance(schema, dict):
        raise ShapeError(f"{path}.input_schema", "must be an object")
    function: dict[str, Any] = {"name": tool["name"], "parameters": schema}
    if isinstance(tool.get("description"), str):
        function["description"] = tool["description"]
    if isinstance(tool.get("strict"), bool):
        function["strict"] = tool["strict"]
    return {"type": "function", "function": function}


def _read_output(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return `response_format` and `reasoning_effort` for `output_config`."""
    config = body.get("output_config") or {}
    wanted = config.get("format") or body.get("output_format")
    found: dict[str, Any] = {}
    if wanted is not None:
        if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
            raise ShapeError("output_config.format.type", "must be json_schema")
        if not isinstance(wanted.get("schema"), dict):
            raise ShapeError("output_config.format.schema", "must be an object")
        schema = {"name": wanted.get("name") or "answer", "schema": wanted["schema"], "strict": True}
        found["response_format"] = {"type": "json_schema", "json_schema": schema}
    if isinstance(config.get("effort"), str):
        found["reasoning_effort"] = config["effort"]
    return found
