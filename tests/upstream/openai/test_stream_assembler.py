"""Chunks in, the completion out that the call without streaming gives."""

import json
import tracemalloc
from typing import Any

import pytest

from tests.fakes import tool_call
from tests.fakes.completions import Completion
from upstream.errors import CallError, Kind
from upstream.openai import wire
from upstream.openai.stream_assembler import HeldChunks, StreamAssembler, ToolCalls

ROME, OSLO = '{"city": "Rome"}', '{"city": "Oslo"}'


def piece(index: int | None = 0, identity: str | None = None, name: Any = None, arguments: Any = None) -> Any:
    """Return a piece of a tool call with the fields that are given."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    head = {key: value for key, value in (("index", index), ("id", identity)) if value is not None}
    return {**head, "function": function}


def assemble(*pieces: Any) -> list[tuple[Any, Any, Any]]:
    """Return (id, name, arguments) of the calls that the pieces make."""
    calls = ToolCalls()
    for each in pieces:
        calls.feed(each)
    return [(call.get("id"), call["function"].get("name"), call["function"]["arguments"]) for call in calls]


@pytest.mark.parametrize(
    "completion",
    [
        Completion(text="Hello there, world."),
        Completion(text="x", reasoning="because", finish_reason="length"),
        Completion(text=None, tool_calls=[tool_call("f", '{"a": 1}'), tool_call("g", "{}", call_id="call_2")]),
    ],
)
def test_assembled_chunks_equal_the_unstreamed_completion(completion: Completion) -> None:
    """Both transports give the same message, finish reason and usage."""
    assembler = StreamAssembler()
    for chunk in completion.chunks({"model": "m", "stream_options": {"include_usage": True}}):
        assembler.feed(wire.check_chunk(chunk))
    whole, assembled = completion.whole({"model": "m"}), assembler.completion()
    for key in ("content", "reasoning_content", "tool_calls"):
        assert assembled["choices"][0]["message"].get(key) == whole["choices"][0]["message"].get(key)
    assert assembled["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert assembled["usage"] == whole["usage"]


ARGUMENTS = '{"city": {"city": "Oslo"}}'


@pytest.mark.parametrize(
    "pieces",
    [
        [ARGUMENTS[:9], ARGUMENTS[9:]],
        [ARGUMENTS[:1], ARGUMENTS[1:9], ARGUMENTS[9:]],
        [ARGUMENTS[:5], ARGUMENTS[:12], ARGUMENTS],
        [ARGUMENTS, ARGUMENTS],
        [ARGUMENTS[:5], ARGUMENTS[5:], ARGUMENTS],
    ],
)
def test_arguments_are_read_once_however_they_are_repeated(pieces: list[str]) -> None:
    """In each piece all of them so far, or all again at the end; the same key inside of an object is no repetition."""
    first, *rest = pieces
    assert assemble(piece(0, "c", "f", first), *(piece(0, "c", "f", each) for each in rest)) == [("c", "f", ARGUMENTS)]


def test_arguments_that_broke_off_stay_as_they_are() -> None:
    """The last piece is no repetition, although it is JSON."""
    assert assemble(piece(0, "c", "f", "{"), piece(0, None, None, '"a": '), piece(0, None, None, '{"b": 1}')) == [
        ("c", "f", '{"a": {"b": 1}')
    ]


def test_a_name_may_come_after_the_first_arguments() -> None:
    """It names the call that they began."""
    assert assemble(piece(0, "c", None, '{"a":'), piece(0, None, "f", " 1}")) == [("c", "f", '{"a": 1}')]


@pytest.mark.parametrize(("index", "arguments"), [(0.0, {"x": 1}), ("0", '{"x": 1}'), (0, []), (0, None), (None, "")])
def test_calls_of_odd_types_are_read(index: Any, arguments: Any) -> None:
    """An index as another number, and arguments as an object, or as the empty list that PHP makes of one."""
    call = {"index": index, "id": "c", "function": {"name": "f", "arguments": arguments}}
    chunk = wire.check_chunk({"choices": [{"delta": {"tool_calls": [call]}}]})
    (assembled,) = assemble(*chunk["choices"][0]["delta"]["tool_calls"])
    assert assembled == ("c", "f", '{"x": 1}' if arguments else "")


def test_a_stream_without_finish_reason_is_truncated() -> None:
    """A cut stream is a failure, never a success."""
    assembler = StreamAssembler()
    assembler.feed({"choices": [{"index": 0, "delta": {"content": "half"}}]})
    with pytest.raises(CallError) as caught:
        assembler.completion()
    assert caught.value.kind is Kind.TRUNCATED


def test_parts_of_content_are_kept() -> None:
    """Images come as parts, beside or instead of text."""
    image = {"type": "image_url", "image_url": {"url": "data:,x"}}
    assembler = StreamAssembler()
    assembler.feed({"choices": [{"index": 0, "delta": {"content": "Look:"}}]})
    assembler.feed({"choices": [{"index": 0, "delta": {"content": [image]}, "finish_reason": "stop"}]})
    message = assembler.completion()["choices"][0]["message"]
    assert message["content"] == [{"type": "text", "text": "Look:"}, image]


@pytest.mark.parametrize(
    "pieces",
    [
        [piece(0, "1", "f", ROME), piece(1, "2", "f", OSLO)],
        [piece(0, "1", "f", ROME), piece(0, "2", "f", OSLO)],
        [piece(None, "1", "f", ROME), piece(None, "2", "f", OSLO)],
        [piece(0, "1", "f"), piece(0, None, None, ROME), piece(0, "2", "f"), piece(0, None, None, OSLO)],
        [piece(0, "1", "f"), piece(1, "2", "f"), piece(1, None, None, OSLO), piece(0, None, None, ROME)],
        [piece(1, "2", "f", OSLO), piece(0, "1", "f", ROME)],
        [piece(None, "1", "f"), piece(None, "2", "f"), piece(None, "1", None, ROME), piece(None, "2", None, OSLO)],
        [piece(0, "1", "f"), piece(0, "2", "f"), piece(0, "1", None, ROME), piece(0, "2", None, OSLO)],
        [piece(0, "1", "f", json.loads(ROME)), piece(0, "2", "f", json.loads(OSLO))],
    ],
)
def test_parallel_calls_are_separated(pieces: list[Any]) -> None:
    """By index, and by a new id with a name if all have the index 0 or none."""
    assert assemble(*pieces) == [("1", "f", ROME), ("2", "f", OSLO)]


@pytest.mark.parametrize("second", [0, 1, None])
def test_parallel_calls_with_one_id_are_separated(second: int | None) -> None:
    """By their index, or by their name once the first has arguments."""
    first = None if second is None else 0
    calls = assemble(piece(first, "1", "f", ROME), piece(second, "1", "g"), piece(second, "1", None, OSLO))
    assert calls == [("1", "f", ROME), ("1", "g", OSLO)]


@pytest.mark.parametrize("index", [0, None])
@pytest.mark.parametrize("second", ["f", "g"])
def test_parallel_calls_without_ids_are_separated(index: int | None, second: str) -> None:
    """A name after complete arguments begins a call, also if it is the same name."""
    calls = assemble(piece(index, None, "f", ROME), piece(index, "", second, OSLO))
    assert calls == [(None, "f", ROME), (None, second, OSLO)]


@pytest.mark.parametrize(
    "pieces",
    [
        [piece(0, "1", "weather", '{"city":'), piece(0, "1", "weather", ' "Rome"}')],
        [piece(0, "1", "weather", '{"city":'), piece(0, None, "weather", ' "Rome"}')],
        [piece(0, "1", "weather"), piece(0, "7", "", '{"city":'), piece(0, "8", None, ' "Rome"}')],
        [piece(0, "1", "wea"), piece(0, None, "ther"), piece(0, None, None, ROME)],
        [piece(0, "1", "wea"), piece(0, "1", "ther", ROME)],
        [piece(0, "1", "wea"), piece(0, "1", "weather"), piece(0, "1", "weather", ROME)],
        [piece(0, None, "weather"), piece(0, "1", None, ROME)],
        [piece(0, "1", "weather", ""), piece(0, "", "", '{"city":'), piece(0, "", None, ' "Rome"}')],
        [piece(None, "1", "weather"), piece(None, None, None, ROME)],
    ],
)
def test_one_call_in_unusual_pieces_is_one_call(pieces: list[Any]) -> None:
    """Names in parts or repeated, ids late, made up or empty; the first id stays."""
    assert assemble(*pieces) == [("1", "weather", ROME)]


def test_fields_beside_the_function_are_kept() -> None:
    """Gemini's signatures stand there, without which it refuses the next turn."""
    calls = ToolCalls()
    calls.feed(
        {**piece(0, "1", "f", "{}"), "type": "function", "extra_content": {"google": {"thought_signature": "x"}}}
    )
    calls.feed({"index": 0, "type": "", "function": {}})
    (call,) = calls
    assert call["extra_content"] == {"google": {"thought_signature": "x"}}
    assert call["type"] == "function"


def test_the_number_of_tool_calls_is_bounded() -> None:
    """A model that is stuck may make them without end."""
    calls = ToolCalls()
    for number in range(wire.MAX_TOOL_CALLS):
        calls.feed(piece(number, str(number), "f", "{}"))
    with pytest.raises(CallError) as caught:
        calls.feed(piece(wire.MAX_TOOL_CALLS, "last", "f", "{}"))
    assert caught.value.kind is Kind.OVERSIZED


def _thought(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"reasoning_content": text}, "finish_reason": None}]}


def test_held_chunks_say_the_same_in_fewer() -> None:
    """Whatever was joined, the completion that comes of them is the same."""
    call = {
        "choices": [{"index": 0, "delta": {"tool_calls": [piece(0, "1", "f", ROME)]}, "finish_reason": "tool_calls"}]
    }
    role = {"id": "x", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
    chunks = [
        role,
        *map(_thought, "because"),
        *map(_thought, "so"),
        call,
        {"choices": [], "usage": {"total_tokens": 3}},
    ]
    held, plain, joined = HeldChunks(), StreamAssembler(), StreamAssembler()
    for chunk in chunks:
        held.add(chunk)
        plain.feed(chunk)
    released = held.release()
    for chunk in released:
        joined.feed(chunk)
    assert joined.completion() == plain.completion()
    assert len(released) == 4
    assert held.release() == []


def test_held_chunks_take_memory_by_their_text() -> None:
    """Not a kilobyte for each token of a model that thinks for long."""
    tracemalloc.start()
    try:
        held = HeldChunks()
        for number in range(50_000):
            held.add(_thought(f"{number % 10}{number % 7}"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * 100_000
