"""JSON encoding and decoding, compared with the standard library."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.json_codec import decode, encode, encode_ascii

_TEXTS = st.text(alphabet=st.characters(exclude_categories=()))
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner), max_leaves=20)


@given(_VALUES)
def test_encoding_and_decoding_give_the_same_value(value: Any) -> None:
    """Also for lone surrogates and integers of any size, and for the standard library as reader."""
    assert decode(encode(value)) == value
    assert json.loads(encode(value)) == value


@given(_VALUES, st.booleans())
def test_decoding_equals_the_standard_library_s(value: Any, ensure_ascii: bool) -> None:
    """Numbers keep their type."""
    text = json.dumps(value, ensure_ascii=ensure_ascii)
    assert repr(decode(text)) == repr(json.loads(text))


@given(_VALUES)
def test_ascii_json_is_one_line(value: Any) -> None:
    """Also for readers that split lines at Unicode separators."""
    text = encode_ascii(value)
    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert json.loads(text) == value


def test_infinity_becomes_null() -> None:
    """Upstreams send it in logprobs, and JSON has no such number."""
    assert encode_ascii([float("-inf"), 1.5]) == encode([float("-inf"), 1.5]).decode() == "[null,1.5]"


@pytest.mark.parametrize("text", [b"", b"{", b"[1,]", b'"\x01"', b"\xff", b"nul", b"01", b"1 2", b"[" * 100_000])
def test_invalid_json_is_refused(text: bytes) -> None:
    """With the exceptions of the standard library."""
    with pytest.raises((ValueError, RecursionError)):
        decode(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"\xef\xbb\xbf[1]", [1]), (b'{"a":1,"a":2}', {"a": 2}), ('["x"]'.encode("utf-16"), ["x"]), (b" [1] ", [1])],
)
def test_decoding_is_as_lenient_as_the_standard_library(text: bytes, value: Any) -> None:
    """Byte order marks, UTF-16, a repeated name, white space around."""
    assert decode(text) == value


def test_a_value_that_is_not_json_is_not_encoded() -> None:
    """TypeError, as from the standard library."""
    with pytest.raises(TypeError):
        encode({"x": object()})
