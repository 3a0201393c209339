"""The OpenAI SDKs read the tool calls of odd upstreams from the gateway as they would read OpenAI's."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients import driving
from tests.clients.stage import Scene, Stage
from tests.fakes import Step, raw_stream, reply

pytestmark = pytest.mark.clients

TWO = '{"a": 2, "b": 3}'
ONE = '{"a": 1, "b": 1}'
LONG = json.dumps({"a": 2, "b": 3, "note": "\U0001f600" * 20_000})


def piece(call: Any = None, reason: str | None = None) -> bytes:
    """Return one event of a stream, with a piece of a tool call or a finish reason."""
    delta = {} if call is None else {"tool_calls": [call]}
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return b"data: " + json.dumps({"id": "x", "choices": [choice]}).encode() + b"\n\n"


def function(arguments: Any = None, name: str | None = None) -> dict[str, Any]:
    return {key: each for key, each in (("name", name), ("arguments", arguments)) if each is not None}


DONE = b"data: [DONE]\n\n"
END = (piece(reason="tool_calls"), DONE)
BOTH: list[tuple[str | None, str]] = [("c1", TWO), ("c2", ONE)]
WHOLE = {
    "choices": [
        {
            "message": {"content": None, "tool_calls": [{"id": "c1", "function": function({"a": 2, "b": 3}, "add")}]},
            "finish_reason": "stop",
        }
    ]
}
SHAPES: dict[str, tuple[Step, list[tuple[str | None, str]]]] = {
    "all with index 0": (
        raw_stream(
            [
                piece({"index": 0, "id": "c1", "type": "function", "function": function(TWO, "add")}),
                piece({"index": 0, "id": "c2", "type": "function", "function": function(ONE, "add")}),
                *END,
            ]
        ),
        BOTH,
    ),
    "without index": (
        raw_stream(
            [
                piece({"id": "c1", "function": function(TWO, "add")}),
                piece({"id": "c2", "function": function(ONE, "add")}),
                *END,
            ]
        ),
        BOTH,
    ),
    "a name in parts, empty ids later": (
        raw_stream(
            [
                piece({"index": 0, "id": "c1", "type": "function", "function": function("", "a")}),
                piece({"index": 0, "id": "", "type": "", "function": function("", "dd")}),
                piece({"index": 0, "id": "", "function": function(TWO, "")}),
                *END,
            ]
        ),
        [("c1", TWO)],
    ),
    "the name in every piece": (
        raw_stream(
            [
                piece({"index": 0, "id": "c1", "function": function('{"a": 2,', "add")}),
                piece({"index": 0, "id": "c1", "function": function(' "b": 3}', "add")}),
                *END,
            ]
        ),
        [("c1", TWO)],
    ),
    "no ids, no finish reason": (
        raw_stream([piece({"index": 0, "function": function(TWO, "add")}), DONE]),
        [(None, TWO)],
    ),
    "arguments as an object": (
        raw_stream([piece({"index": 0, "id": "c1", "function": function({"a": 2, "b": 3}, "add")}), *END]),
        [("c1", TWO)],
    ),
    "one JSON object for a stream": (reply(json.dumps(WHOLE).encode()), [("c1", TWO)]),
    "long arguments": (
        raw_stream([piece({"index": 0, "id": "c1", "function": function(LONG, "add")}), *END]),
        [("c1", LONG)],
    ),
}
CLIENTS: dict[str, Callable[[Stage, Path], Awaitable[Any]]] = {
    "Python": lambda stage, home: driving.openai_python(stage, "tools_stream", home),
    "Node": lambda stage, home: driving.openai_node(stage, "toolsStream", home),
}


@pytest.mark.parametrize("ask", CLIENTS.values(), ids=CLIENTS)
@pytest.mark.parametrize(("step", "expected"), SHAPES.values(), ids=SHAPES)
async def test_an_sdk_reads_the_calls(
    stage: Stage,
    tmp_path: Path,
    ask: Callable[[Stage, Path], Awaitable[Any]],
    step: Step,
    expected: list[tuple[str | None, str]],
) -> None:
    """Each with its id, its type, its name and its arguments, byte for byte."""
    stage.play(Scene(step))
    made = await ask(stage, tmp_path)
    assert made["finish_reason"] == "tool_calls"
    calls = made["calls"]
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [json.loads(text) for _, text in expected]
    assert {(call["type"], call["function"]["name"]) for call in calls} == {("function", "add")}
    for call, (identity, _) in zip(calls, expected, strict=True):
        assert call["id"] == identity if identity else call["id"].startswith("call_")
