"""Traces as JSON: the fast encoder and the standard library agree."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.traces import schema
from handlers.traces.as_json import decode_trace, encode_trace, indent
from handlers.traces.schema import Trace

_TEXT = st.text(st.characters(exclude_categories=()), max_size=8)  # includes halves of surrogate pairs
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def trace_with(usage: Any, **params: Any) -> Trace:
    """Return a trace with a value of an upstream's and values of a client's."""
    return Trace(
        "chatcmpl-1",
        request=schema.Asked(params=params),
        calls=[schema.Call(attempts=[schema.Attempt(usage=usage)])],
    )


def as_the_standard_library(value: Any) -> Any:
    """Return the value that is read from a file that `json` has written."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace"))


@given(VALUES, _TEXT)
def test_nothing_is_lost(usage: Any, text: str) -> None:
    """On one line or indented, whatever is in it."""
    trace = trace_with(usage, text=text)
    data = encode_trace(trace)
    assert b"\n" not in data
    assert json.loads(data) == json.loads(indent(data)) == as_the_standard_library(msgspec.to_builtins(trace))


@given(VALUES)
def test_a_trace_is_decoded_as_it_was(usage: Any) -> None:
    """Through either of the two decoders."""
    trace = trace_with(as_the_standard_library(usage))
    assert decode_trace(indent(encode_trace(trace))) == trace


@pytest.mark.parametrize("odd", [math.nan, -math.nan])
def test_a_nan_stays_one(odd: float) -> None:
    """Strict JSON has no word for it, and `null` would be another value."""
    data = encode_trace(trace_with({"prompt_tokens": odd}))
    (call,) = decode_trace(data).calls
    assert math.isnan(call.attempts[0].usage["prompt_tokens"])
    assert b'"prompt_tokens": NaN' in indent(data)


@pytest.mark.parametrize("text", ["plain", "\ud83d odd"])
def test_indented_json_is_laid_out_as_by_the_standard_library(text: str) -> None:
    """Two spaces for each depth, and letters unescaped."""
    trace = trace_with({"é": [text, {"n": 1.5}], "none": [], "deep": {"er": None}})
    expected = json.dumps(msgspec.to_builtins(trace), indent=2, ensure_ascii=False)
    assert indent(encode_trace(trace)) == expected.encode(errors="backslashreplace")


def test_a_value_that_json_cannot_express_is_refused() -> None:
    """As a TypeError, which the store logs."""
    with pytest.raises(TypeError):
        encode_trace(trace_with({"odd": object()}))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"id": 3}', "{", '{"id": "x", "calls": 3}', '{"id": "x", "later": ' + "[" * 100_000]
)
def test_other_json_is_refused_as_one_kind_of_error(text: str) -> None:
    """The store logs it and goes on."""
    with pytest.raises(ValueError, match=r"not a trace|line 1"):
        decode_trace(text)


@given(st.dictionaries(st.sampled_from(["calls", "candidates", "answers", "authors", "request", "timings"]), JSON))
def test_a_file_of_any_shape_is_a_trace_or_a_value_error(values: dict[str, Any]) -> None:
    """No other exception can reach a page."""
    try:
        trace = decode_trace(json.dumps({**values, "id": "chatcmpl-1"}))
    except ValueError:
        return
    assert trace.id == "chatcmpl-1"
