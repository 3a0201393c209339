"""JSON, fast for what is common and by the standard library's rules for the rest."""

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
def test_what_is_encoded_reads_back_as_it_was(value: Any) -> None:
    """Lone surrogates and integers of any size among it, for the standard library as well."""
    assert decode(encode(value)) == value
    assert json.loads(encode(value)) == value


@given(_VALUES, st.booleans())
def test_whatever_the_standard_library_writes_is_read_as_it_reads_it(value: Any, ensure_ascii: bool) -> None:
    """Numbers keep their type, too."""
    text = json.dumps(value, ensure_ascii=ensure_ascii)
    assert repr(decode(text)) == repr(json.loads(text))


@given(_VALUES)
def test_in_ascii_it_is_one_line_for_everybody(value: Any) -> None:
    """Also for readers that take Unicode's separators for the end of one."""
    text = encode_ascii(value)
    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert json.loads(text) == value


def test_what_is_no_number_in_json_becomes_null() -> None:
    """Upstreams send it in logprobs."""
    assert encode_ascii([float("-inf"), 1.5]) == encode([float("-inf"), 1.5]).decode() == "[null,1.5]"


@pytest.mark.parametrize("text", [b"", b"{", b"[1,]", b'"\x01"', b"\xff", b"nul", b"01", b"1 2", b"[" * 100_000])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    """By the exceptions of the standard library."""
    with pytest.raises((ValueError, RecursionError)):
        decode(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"\xef\xbb\xbf[1]", [1]), (b'{"a":1,"a":2}', {"a": 2}), ('["x"]'.encode("utf-16"), ["x"]), (b" [1] ", [1])],
)
def test_what_the_standard_library_forgives_is_forgiven(text: bytes, value: Any) -> None:
    """Byte order marks, UTF-16, a name twice, white space around."""
    assert decode(text) == value


def test_what_is_no_json_value_is_not_encoded() -> None:
    """As the standard library says it."""
    with pytest.raises(TypeError):
        encode({"x": object()})
