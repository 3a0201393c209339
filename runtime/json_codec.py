"""JSON encoding and decoding: msgspec for the common case, the standard library's rules for the rest. Pure.

For large values see json_steps.py.
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()
_UNENCODABLE = (UnicodeEncodeError, OverflowError, TypeError, NotImplementedError, msgspec.MsgspecError)


def encode(value: Any) -> bytes:
    """Return a value as compact JSON in UTF-8. NaN and infinity become null. Raises TypeError if it is no JSON value.

    A value with a lone surrogate or an integer of more than 64 bits is encoded in ASCII with escapes.
    """
    try:
        return _ENCODER.encode(value)
    except _UNENCODABLE:
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def encode_ascii(value: Any) -> str:
    """Return a value as JSON in ASCII, which no reader can split at a Unicode line separator; otherwise as `encode`."""
    encoded = encode(value)
    return encoded.decode() if encoded.isascii() else json.dumps(json.loads(encoded), separators=(",", ":"))


def encode_line(value: Any) -> bytes:
    """Return a value as a line: as `encode`, with a line end, so that a shell's prompt does not follow the JSON."""
    return encode(value) + b"\n"


decode_fast: Callable[[bytes | str | memoryview], Any] = _DECODER.decode
"""Return the value of strict JSON in UTF-8. Raises ValueError or RecursionError for anything else, NaN included."""


def decode(data: bytes | str) -> Any:
    """Return the value of JSON as `json.loads` does; its ValueError, which names the position, or RecursionError."""
    try:
        return decode_fast(data)
    except (ValueError, RecursionError):
        return json.loads(data)
