"""Calls of an answer, checked against the tools that its request offers."""

from typing import Any

import pytest

from runtime.budget import Budget
from synth.contract.tool_calls import find_bad_call, list_calls
from synth.normalize import Completion

SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
F = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
G = {"type": "function", "function": {"name": "g"}}
FREE = {"type": "custom", "custom": {"name": "free", "format": {"type": "text"}}}


def call(name: str, arguments: Any) -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}


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
    """In a sentence that its author can act on."""
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
