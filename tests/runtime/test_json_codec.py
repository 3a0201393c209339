"""JSON encoding and decoding, compared with the standard library."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.json_codec import decode, encode, encode_ascii, exceeds_values

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


def _count_values(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(_count_values(each) for each in inner)


@given(_VALUES, st.booleans())
def test_no_text_with_too_many_values_passes(value: Any, ensure_ascii: bool) -> None:
    """The bound is checked before decoding, so it must hold for every JSON text."""
    count = _count_values(value)
    text = json.dumps(value, ensure_ascii=ensure_ascii).encode("utf-8", "surrogatepass")
    assert exceeds_values(text, count - 1)


@pytest.mark.parametrize(
    "prose",
    ['a, b, [c], {d}, "e", ' * 1000, '\\" , ' * 1000, "\\\\" * 1000 + ",", "\u00e9, " * 1000],
)
def test_punctuation_inside_strings_does_not_count(prose: str) -> None:
    """Code and prose are full of commas and brackets."""
    body = json.dumps({"messages": [{"role": "user", "content": prose}]}).encode()
    assert not exceeds_values(body, 10)


@pytest.mark.parametrize("piece", [b"[", b"{", b"[],", b'"",', b'{"a":1},', b'"a":1,', b"1,", b'"\\"",', b'"\\\\",'])
def test_many_small_values_exceed_the_bound(piece: bytes) -> None:
    """Whatever the values are, and however their quotes are escaped; without an object for each of them."""
    assert exceeds_values(b"[" + piece * 100_000, 50_000)


def test_other_encodings_are_counted_with_their_strings() -> None:
    """The bound holds for UTF-16 too, where quotes look different."""
    assert exceeds_values(json.dumps([1] * 100).encode("utf-16"), 99)
    assert not exceeds_values(json.dumps([1] * 100).encode("utf-16"), 200)
