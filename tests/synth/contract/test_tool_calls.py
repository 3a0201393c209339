"""The tools that a request offers, and calls that are checked against them."""

from typing import Any

import pytest

from runtime.budget import Budget
from synth.contract.tool_calls import find_bad_call, list_calls, list_tools, read_tool_choice
from synth.normalize import Completion

SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
F = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
G = {"type": "function", "function": {"name": "g"}}
FREE = {"type": "custom", "custom": {"name": "free", "format": {"type": "text"}}}


def call(name: str, arguments: Any) -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}


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


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (call("rocket", "{}"), "not among"),
        (call("f", '{"x": '), "not JSON"),
        (call("f", "{}"), "does not fit|do not fit"),
        (call("f", '{"x": "5"}'), "do not fit"),
        ({"id": "1", "type": "custom", "custom": {"name": "other", "input": ""}}, "not among"),
    ],
)
def test_a_bad_call_is_described(bad: dict[str, Any], says: str) -> None:
    """In words that its author can act on."""
    finding = find_bad_call({"f": SCHEMA, "free": None}, [call("f", '{"x": 5}'), bad], Budget(100_000))
    assert finding is not None
    assert any(each in finding for each in says.split("|"))


def test_good_calls_have_no_defect() -> None:
    """A tool without a schema, or with one that is no schema, takes any JSON."""
    calls = [call("f", '{"x": 5}'), call("g", "{}"), {"custom": {"name": "free", "input": "any {"}}]
    assert find_bad_call({"f": SCHEMA, "g": {"type": 7}, "free": None}, calls, Budget(100_000)) is None


def test_an_older_function_call_is_listed_as_a_call() -> None:
    """Behind the others."""
    completion = Completion("", tool_calls=(call("f", "{}"),), function_call={"name": "g", "arguments": "{}"})
    assert [each["function"]["name"] for each in list_calls(completion)] == ["f", "g"]
