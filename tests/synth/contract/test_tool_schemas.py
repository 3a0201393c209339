"""The schemas of a request's tools, checked before any model is asked."""

from collections import OrderedDict
from typing import Any

import pytest

from runtime.time_slice import TimeSlice
from synth.contract import tool_schemas
from synth.contract.json_schema import find_schema_defect
from synth.contract.tool_schemas import find_tool_problem

GOOD = {"type": "object", "properties": {"x": {"type": "integer"}}}
BAD = {"$ref": "#/x", "x": 5}


def tool(name: str, schema: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": schema}}


async def find(params: dict[str, Any], **options: Any) -> str | None:
    problem = await find_tool_problem(params, TimeSlice(lambda: 0.0), **options)
    return None if problem is None else problem.param


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({}, None),
        ({"tools": []}, None),
        ({"tools": [tool("f", GOOD), tool("g", None), {"type": "custom", "custom": {"name": "c"}}]}, None),
        ({"tools": [tool("f", GOOD), tool("g", BAD)]}, "tools[1].function.parameters"),
        ({"functions": [{"name": "f", "parameters": BAD}]}, "functions[0].parameters"),
        ({"tools": [{"function": {"name": "f", "parameters": []}}]}, "tools[0].function.parameters"),
        ({"tools": [{"type": "web_search"}]}, None),
    ],
)
async def test_the_first_bad_schema_is_named(params: dict[str, Any], path: str | None, is_large: bool) -> None:
    """By the path of the field; a tool without a schema is right."""
    assert await find(params, is_large=is_large) == path


async def test_the_same_tools_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent sends them on every turn; the rest of the request does not matter, nor whether they were refused."""
    checked: list[Any] = []

    def check(schema: Any) -> str | None:
        checked.append(schema)
        return find_schema_defect(schema)

    monkeypatch.setattr(tool_schemas, "find_schema_defect", check)
    for schema, n_times in (({**GOOD, "title": "once"}, 3), ({**BAD, "title": "once"}, 3)):
        for turn in range(n_times):
            await find({"tools": [tool("f", schema)], "temperature": turn})
    assert len(checked) == 2


async def test_remembered_tools_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends other tools each time does not fill the memory."""
    monkeypatch.setattr(tool_schemas, "_MAX_KNOWN", 3)
    monkeypatch.setattr(tool_schemas, "_known", OrderedDict())
    for number in range(5):
        await find({"tools": [tool(f"f{number}", GOOD)]})
    assert len(tool_schemas._known) == 3
