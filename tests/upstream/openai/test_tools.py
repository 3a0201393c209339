"""The tools that a request offers, and the choice among them."""

from typing import Any

import pytest

from upstream.openai.tools import list_tools, read_tool_choice

F = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
G = {"type": "function", "function": {"name": "g"}}
FREE = {"type": "custom", "custom": {"name": "free", "format": {"type": "text"}}}


def test_tools_of_every_kind_are_listed() -> None:
    """Functions, custom tools, and the older `functions`; what has no name is no tool."""
    params = {"tools": [F, FREE, {"type": "web_search"}, {"type": "function"}], "functions": [{"name": "old"}]}
    assert [tool["name"] for tool in list_tools(params)] == ["f", "free", "old"]


@pytest.mark.parametrize(
    ("choice", "names", "must_call"),
    [
        (None, ["f", "g"], False),
        ("auto", ["f", "g"], False),
        ("none", [], False),
        ("required", ["f", "g"], True),
        ({"type": "function", "function": {"name": "g"}}, ["g"], True),
        ({"type": "function", "function": {"name": "h"}}, [], False),
        ({"name": "f"}, ["f"], True),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [F]}}, ["f"], True),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [G]}}, ["g"], False),
    ],
)
def test_a_choice_leaves_tools_and_may_demand_one(choice: Any, names: list[str], must_call: bool) -> None:
    """A choice of a tool that is not offered demands nothing."""
    tools, demanded = read_tool_choice({"tools": [F, G], "tool_choice": choice})
    assert (list(tools), demanded) == (names, must_call)
