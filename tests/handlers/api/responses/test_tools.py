"""Tools of Responses become functions, and their calls become what the client declared."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.api.responses.tools import ToolTable, custom_arguments
from handlers.errors import ApiError

NAME = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
PLAIN = {
    "type": "function",
    "name": "look",
    "description": "Look up.",
    "parameters": {"type": "object"},
    "strict": True,
}
PATCH = {
    "type": "custom",
    "name": "patch",
    "description": "Edit.",
    "format": {"type": "grammar", "definition": "start: x"},
}
SPACE = {
    "type": "namespace",
    "name": "git",
    "tools": [{"type": "function", "name": "log"}, {"type": "custom", "name": "do"}],
}


def _call(name: str, arguments: str) -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


def test_a_function_keeps_all_of_its_fields() -> None:
    """Name, description, parameters and strictness; parameters that were left out are an empty object."""
    functions = ToolTable([PLAIN, {"name": "bare"}]).functions
    assert functions[0] == {"type": "function", "function": {key: PLAIN[key] for key in PLAIN if key != "type"}}
    assert functions[1]["function"] == {"name": "bare", "parameters": {"type": "object", "properties": {}}}


def test_a_custom_tool_takes_one_string() -> None:
    """Its grammar is shown to the model in the description."""
    (tool,) = ToolTable([PATCH]).functions
    assert tool["function"]["description"] == "Edit.\n\nstart: x"
    assert tool["function"]["parameters"]["required"] == ["input"]


def test_tools_of_openais_servers_are_left_out() -> None:
    """No model of another provider can call them."""
    assert ToolTable([{"type": "web_search"}, {"type": "file_search"}, {"type": "mcp"}]).functions == []


@given(st.text())
def test_a_custom_call_round_trips_verbatim(text: str) -> None:
    """Whatever the tool's input is: patches have quotes, backslashes and line ends."""
    item = ToolTable([PATCH]).item_from_call(_call("patch", custom_arguments(text)))
    assert item == {"type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": text}


@pytest.mark.parametrize("arguments", ["", "raw", "{", "[1]", '{"input": 1}', '{"other": "x"}', "[" * 100_000])
def test_custom_arguments_of_another_form_are_the_input(arguments: str) -> None:
    """A model that ignores the schema writes the input itself."""
    assert ToolTable([PATCH]).item_from_call(_call("patch", arguments))["input"] == arguments


@given(NAME, NAME, st.text(max_size=5))
def test_a_call_in_a_namespace_keeps_its_namespace(namespace: str, name: str, arguments: str) -> None:
    """Clients look the tool up by both."""
    table = ToolTable([{"type": "namespace", "name": namespace, "tools": [{"type": "function", "name": name}]}])
    (tool,) = table.functions
    item = table.item_from_call(_call(tool["function"]["name"], arguments))
    assert (item["namespace"], item["name"], item["arguments"]) == (namespace, name, arguments)


def test_a_namespace_may_hold_custom_tools() -> None:
    """Both translations at once."""
    item = ToolTable([SPACE]).item_from_call(_call("git__do", custom_arguments("x")))
    assert item == {"type": "custom_tool_call", "call_id": "call_1", "name": "do", "namespace": "git", "input": "x"}


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_a_name_stays_within_the_limit_of_upstreams(namespace: str, name: str) -> None:
    """They refuse names of more than 64 characters; the end, which tells tools apart, is kept."""
    joined = ToolTable().function_name(name, namespace)
    assert len(joined) <= 64
    assert f"{namespace}__{name}".endswith(joined)


def test_an_unknown_call_is_passed_on() -> None:
    """The client knows better than the gateway what to do with it."""
    item = ToolTable().item_from_call({"function": {"name": "x", "arguments": "{}"}})
    assert item == {"type": "function_call", "call_id": "", "name": "x", "arguments": "{}"}


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        (None, None),
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "name": "look"}, {"type": "function", "function": {"name": "look"}}),
        ({"type": "custom", "name": "patch"}, {"type": "function", "function": {"name": "patch"}}),
        (
            {"type": "function", "name": "log", "namespace": "git"},
            {"type": "function", "function": {"name": "git__log"}},
        ),
        ({"type": "web_search"}, "auto"),
    ],
)
def test_a_choice_is_translated(choice: Any, read: Any) -> None:
    """With the names that the functions have in Chat Completions."""
    assert ToolTable([PLAIN, PATCH, SPACE]).read_choice(choice) == read


def test_allowed_tools_are_the_only_ones_left() -> None:
    """Chat Completions has no such choice, so the others are not sent at all."""
    table = ToolTable([PLAIN, PATCH])
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "patch"}]}
    assert table.read_choice(choice) == "required"
    assert [tool["function"]["name"] for tool in table.functions] == ["patch"]


def test_an_allowed_tool_may_be_in_a_namespace() -> None:
    """It is named as in any other choice."""
    table = ToolTable([PLAIN, SPACE])
    allowed = [{"type": "function", "name": "log", "namespace": "git"}]
    table.read_choice({"type": "allowed_tools", "tools": allowed})
    assert [tool["function"]["name"] for tool in table.functions] == ["git__log"]


@pytest.mark.parametrize(
    ("tools", "path"),
    [
        (["x"], "tools[0]"),
        ([PLAIN, {"type": "function"}], "tools[1].name"),
        ([{"type": "namespace", "name": "n", "tools": {}}], "tools[0].tools"),
        ([{"type": "namespace", "tools": []}], "tools[0].name"),
        ([{"type": "namespace", "name": "n", "tools": [{"type": "custom"}]}], "tools[0].tools[0].name"),
    ],
)
def test_a_tool_of_the_wrong_shape_is_refused_with_its_path(tools: list[Any], path: str) -> None:
    """At any depth."""
    with pytest.raises(ApiError) as caught:
        ToolTable(tools)
    assert caught.value.param == path


@pytest.mark.parametrize(
    ("choice", "path"), [(1, "tool_choice"), ("some", "tool_choice"), ({"type": "function"}, "tool_choice.name")]
)
def test_a_choice_of_the_wrong_shape_is_refused_with_its_path(choice: Any, path: str) -> None:
    """An unknown word is refused, too."""
    with pytest.raises(ApiError) as caught:
        ToolTable([PLAIN]).read_choice(choice)
    assert caught.value.param == path
