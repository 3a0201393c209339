"""Reads the tools that a request offers, and which of them may or must be called. Pure."""

from collections.abc import Mapping
from typing import Any


def list_tools(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the offered tools, in the shape of `functions`: name, description, and parameters or format.

    `tools` hold them under their type, the older `functions` as they are; what has no name is left out.
    """
    tools = [tool.get(tool.get("type") or "function") for tool in params.get("tools") or ()]
    tools += params.get("functions") or ()
    return [tool for tool in tools if isinstance(tool, dict) and isinstance(tool.get("name"), str)]


def read_tool_choice(params: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return the schemas of the arguments, by tool, of the tools that may be called; and whether one must be.

    `tool_choice` may leave all of them, none, a list of allowed ones, or a single one.
    """
    tools = {tool["name"]: tool.get("parameters") for tool in list_tools(params)}
    choice = params.get("tool_choice") or params.get("function_call") or "auto"
    if isinstance(choice, str):
        return ({} if choice == "none" else tools), choice == "required" and bool(tools)
    kind = choice.get("type") or "function"
    if kind == "allowed_tools":
        allowed = choice.get("allowed_tools") or {}
        names = [str((tool.get(tool.get("type")) or {}).get("name")) for tool in allowed.get("tools") or ()]
        return {name: tools[name] for name in names if name in tools}, allowed.get("mode") == "required"
    name = (choice.get(kind) or choice).get("name")
    return {known: schema for known, schema in tools.items() if known == name}, name in tools
