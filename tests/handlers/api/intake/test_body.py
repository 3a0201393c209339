"""Bodies are decoded or refused with a message that names the remedy."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.api.intake.body import MAX_DEPTH, type_name
from handlers.errors import ApiError
from tests.handlers.api.bodies import decode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def _refusal(body: bytes, content_type: str | None = None) -> ApiError:
    with pytest.raises(ApiError) as caught:
        decode(body, content_type)
    return caught.value


@settings(max_examples=50)
@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4), st.booleans())
def test_any_object_is_decoded(value: dict[str, Any], ascii_only: bool) -> None:
    """Whether it is written in ASCII or in UTF-8."""
    assert decode(json.dumps(value, ensure_ascii=ascii_only).encode(), "application/json") == value


@settings(max_examples=50)
@given(st.binary(max_size=30))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    """Any bytes are an object or the client's error."""
    try:
        found: Any = decode(body, None)
    except ApiError as error:
        found = (error.status, error.code)
    assert isinstance(found, dict) or found == (400, "invalid_json")


@pytest.mark.parametrize(
    "content_type",
    [None, "", "application/json", "application/json; charset=utf-8", "Application/JSON", "application/problem+json"],
)
def test_json_of_any_name_is_accepted(content_type: str | None) -> None:
    """A missing type is accepted, too."""
    assert decode(b"{}", content_type) == {}


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [
        ("text/plain", "text/plain"),
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
        ("multipart/form-data; boundary=x", "multipart/form-data"),
        ("json", "application/octet-stream"),
        ("<script>/json", "application/octet-stream"),
    ],
)
def test_another_type_is_refused_with_the_header_to_send(content_type: str, shown: str) -> None:
    """A form of a foreign page in a browser is refused, too; an unusable type is not repeated."""
    error = _refusal(b"{}", content_type)
    assert (error.status, error.code) == (415, "unsupported_media_type")
    assert error.message.endswith(f"Content-Type: application/json, not {shown}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is empty"),
        (b" \n", "the body is empty"),
        (b"{", "not valid JSON: Expecting property name enclosed in double quotes at line 1 column 2"),
        (b'{"a": NaN}', "not valid JSON"),
        (b'{"a": "\xff"}', "not valid JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b"[]", "must be a JSON object, not an array"),
        (b'"hi"', "must be a JSON object, not a string"),
        (b"null", "must be a JSON object, not null"),
    ],
)
def test_anything_but_an_object_is_refused(body: bytes, message: str) -> None:
    """The message says what is wrong and where, and stays short."""
    error = _refusal(body)
    assert (error.status, error.code) == (400, "invalid_json")
    assert message in error.message
    assert len(error.message) <= 200


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_bounded(opening: str, closing: str) -> None:
    """A body at the bound is read, one level more is refused; a thousand objects beside each other are not deep."""
    deepest, deeper = (f'{{"a":{opening * depth}0{closing * depth}}}'.encode() for depth in (MAX_DEPTH - 1, MAX_DEPTH))
    assert decode(deepest, None)
    assert f"more than {MAX_DEPTH} levels" in _refusal(deeper).message
    assert decode(json.dumps({"a": [{}] * 1000}).encode(), None)


def test_far_too_deep_is_no_crash() -> None:
    """The decoder's own bound is an error of the client's as well."""
    assert _refusal(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}").status == 400


@pytest.mark.parametrize(
    ("value", "name"),
    [("", "a string"), (True, "a boolean"), (1, "an integer"), (1.5, "a number"), ([], "an array"), ({}, "an object")],
)
def test_types_have_the_names_of_json(value: Any, name: str) -> None:
    """A client's developer need not know Python."""
    assert type_name(value) == name
    assert type_name(None) == "null"
