"""Tools of the Responses API as function tools of Chat Completions, and their calls translated back. Pure.

Chat Completions has no namespaces, and most upstreams have no custom (freeform) tools. A namespaced function gets a
joined name; a custom tool becomes a function with a single string parameter. `ToolTable` remembers both for the reply.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from handlers.api.responses.shape import expect, expect_list
from runtime.frozen import frozen

_CUSTOM_PARAMETERS = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The tool's whole input, verbatim."}},
    "required": ["input"],
    "additionalProperties": False,
}
_CHOICE_WORDS = ("auto", "none", "required")
_SEPARATOR = "__"
_MAX_NAME_CHARS = 64


@frozen
class _Origin:
    """The tool of the request that a function tool was made from."""

    name: str
    namespace: str | None = None
    is_custom: bool = False


class ToolTable:
    """The callable tools of one request. Tools that OpenAI's servers run (web search and others) are left out."""

    def __init__(self, tools: Sequence[Mapping[str, Any]] = ()) -> None:
        self.functions: list[dict[str, Any]] = []
        self._origins: dict[str, _Origin] = {}
        for position, tool in enumerate(tools):
            self._add(tool, f"tools[{position}]", namespace=None)

    def _add(self, tool: Any, path: str, *, namespace: str | None) -> None:
        expect(dict, tool, path)
        kind = tool.get("type", "function")
        if kind == "namespace":
            inner = expect_list(tool.get("tools"), f"{path}.tools")
            name = expect(str, tool.get("name"), f"{path}.name")
            for position, each in enumerate(inner):
                self._add(each, f"{path}.tools[{position}]", namespace=name)
        elif kind in ("function", "custom"):
            name = expect(str, tool.get("name"), f"{path}.name")
            self._add_callable(_Origin(name, namespace, kind == "custom"), tool)

    def _add_callable(self, origin: _Origin, tool: Mapping[str, Any]) -> None:
        function: dict[str, Any] = {"name": self.function_name(origin.name, origin.namespace)}
        description = tool.get("description")
        if origin.is_custom:
            format_of_input = tool.get("format") or {}
            definition = format_of_input.get("definition") if isinstance(format_of_input, dict) else None
            hints = [text for text in (description, definition) if isinstance(text, str)]
            function |= {"description": "\n\n".join(hints), "parameters": _CUSTOM_PARAMETERS}
        else:
            function["parameters"] = tool.get("parameters") or {"type": "object", "properties": {}}
            if isinstance(description, str):
                function["description"] = description
            if isinstance(tool.get("strict"), bool):
                function["strict"] = tool["strict"]
        self._origins[function["name"]] = origin
        self.functions.append({"type": "function", "function": function})

    def function_name(self, name: str, namespace: Any) -> str:
        """Return the function's name in Chat Completions for a tool of this name and namespace."""
        if not isinstance(namespace, str) or not namespace:
            return name
        return f"{namespace}{_SEPARATOR}{name}"[-_MAX_NAME_CHARS:]

    def read_choice(self, choice: Any, path: str = "tool_choice") -> Any:
        """Return the tool choice of Chat Completions, or None if the request leaves it to the model."""
        if choice is None or choice in _CHOICE_WORDS:
            return choice
        expect(dict, choice, path)
        kind = choice.get("type")
        if kind in ("function", "custom"):
            name = self.function_name(expect(str, choice.get("name"), f"{path}.name"), choice.get("namespace"))
            return {"type": "function", "function": {"name": name}}
        if kind == "allowed_tools":
            allowed = expect_list(choice.get("tools"), f"{path}.tools")
            names = [self.function_name(each.get("name", ""), each.get("namespace")) for each in allowed]
            self.functions = [each for each in self.functions if each["function"]["name"] in names]
            return choice.get("mode", "auto")
        return "auto"  # a tool that OpenAI's servers run

    def item_from_call(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """Return the output item for a tool call of Chat Completions: `function_call` or `custom_tool_call`."""
        function = call.get("function") or call.get("custom") or {}
        name, arguments = function.get("name") or "", function.get("arguments", function.get("input")) or ""
        origin = self._origins.get(name, _Origin(name))
        item: dict[str, Any] = {"call_id": call.get("id") or "", "name": origin.name}
        if origin.namespace:
            item["namespace"] = origin.namespace
        if origin.is_custom:
            return {"type": "custom_tool_call", **item, "input": _read_custom_input(arguments)}
        return {"type": "function_call", **item, "arguments": arguments}


def custom_arguments(text: str) -> str:
    """Return the function arguments that stand for a custom tool's input."""
    return json.dumps({"input": text}, ensure_ascii=False)


def _read_custom_input(arguments: str) -> str:
    """Return a custom tool's input from function arguments; anything but the expected object is itself the input."""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    stated = value.get("input") if isinstance(value, dict) else None
    return stated if isinstance(stated, str) else arguments
