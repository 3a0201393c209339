"""Traces as JSON: the fast encoder and the standard library's are to agree."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.traces.as_json import encoded, indented

_TEXT = st.text(st.characters(exclude_categories=()), max_size=8)  # half pairs of surrogates as well
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


def as_the_standard_library(value: Any) -> Any:
    """Return what comes back of a value by way of a file that `json` has written."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace"))


@given(st.dictionaries(_TEXT, VALUES, max_size=4))
def test_nothing_is_lost(document: dict[str, Any]) -> None:
    """On one line or indented, whatever is in it."""
    data = encoded(document, document)
    assert b"\n" not in data
    assert json.loads(data) == json.loads(indented(data)) == as_the_standard_library(document)


@pytest.mark.parametrize("odd", [math.nan, -math.nan])
def test_a_nan_stays_one(odd: float) -> None:
    """JSON has no word for it, and `null` would be another value."""
    usage = {"prompt_tokens": odd}
    data = encoded({"usage": usage}, [usage])
    assert math.isnan(json.loads(data)["usage"]["prompt_tokens"])
    assert b'\n    "prompt_tokens": NaN' in indented(data)


@pytest.mark.parametrize("text", ["plain", "\ud83d odd"])
def test_it_is_laid_out_for_people(text: str) -> None:
    """Two spaces for each depth, and letters as they are."""
    document = {"é": [text, {"n": 1.5}], "none": [], "deep": {"er": None}}
    assert indented(encoded(document, ())) == json.dumps(document, indent=2, ensure_ascii=False).encode(
        errors="backslashreplace"
    )


def test_what_json_has_no_word_for_is_refused() -> None:
    """As a TypeError, which the store's log tells."""
    with pytest.raises(TypeError):
        encoded({"odd": object()}, ())
