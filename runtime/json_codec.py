"""JSON, fast for what is common and by the standard library's rules for the rest. Pure."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()
_UNENCODABLE = (UnicodeEncodeError, OverflowError, TypeError, NotImplementedError, msgspec.MsgspecError)


def encode(value: Any) -> bytes:
    """Return a value as compact JSON: UTF-8, or ASCII with escapes where it holds a lone surrogate or a huge number.

    TypeError where it is no JSON value. NaN and infinity become null.
    """
    try:
        return _ENCODER.encode(value)
    except _UNENCODABLE:
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def encode_ascii(value: Any) -> str:
    """Return a value as JSON in ASCII, on one line whatever its reader takes for the end of one; else as `encode`."""
    encoded = encode(value)
    return encoded.decode() if encoded.isascii() else json.dumps(json.loads(encoded), separators=(",", ":"))


decode_fast: Callable[[bytes | str], Any] = _DECODER.decode
"""Return the value of JSON in UTF-8; ValueError or RecursionError where it is anything else, or has a NaN."""


def decode(data: bytes | str) -> Any:
    """Return the value of JSON as `json.loads` does, which also says what is wrong: ValueError, RecursionError."""
    try:
        return decode_fast(data)
    except (ValueError, RecursionError):
        return json.loads(data)
