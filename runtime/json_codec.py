"""JSON encoding and decoding: msgspec for the common case, the standard library's rules for the rest. Pure."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()
_STRINGS_PER_VALUE = 2  # the name of a member, and its value
_UNENCODABLE = (UnicodeEncodeError, OverflowError, TypeError, NotImplementedError, msgspec.MsgspecError)


def encode(value: Any) -> bytes:
    """Return a value as compact JSON in UTF-8. NaN and infinity become null; TypeError if it is no JSON value.

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


decode_fast: Callable[[bytes | str], Any] = _DECODER.decode
"""Return the value of strict JSON in UTF-8; ValueError or RecursionError for anything else, NaN included."""


def decode(data: bytes | str) -> Any:
    """Return the value of JSON as `json.loads` does; its ValueError, which names the position, or RecursionError."""
    try:
        return decode_fast(data)
    except (ValueError, RecursionError):
        return json.loads(data)


def exceeds_values(data: bytes, limit: int) -> bool:
    """Whether JSON may hold more than `limit` values, found by counting bytes, without decoding it.

    Never False for a text with more values. True for a text with fewer only if it is malformed, is not UTF-8, or has
    more strings than a text with `limit` values can have. Time and memory grow linearly with the text: about 1 ms per
    megabyte, and about 5 ms if the strings hold many commas and brackets.
    """
    # Decoding takes time and memory by the number of values, not by the size: 32 MB of `[[],[],…` become 400 MB of
    # objects in one turn of the event loop. Each value but the first follows a `[`, `{`, `,` or `:`, so counting the
    # first three bounds the elements, and with as many names the values. Prose is full of commas, so a count that is
    # too high is repeated without the strings. Splitting at quotes makes an object for each string; their number is
    # bounded first. UTF-16 passes quotes off as other characters, so for it the first count stands.
    if _count_structure(data) <= limit:
        return False
    if b"\0" in data:
        return True
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > 2 * _STRINGS_PER_VALUE * limit:
        return True
    return _count_structure(b"".join(plain.split(b'"')[::2])) > limit


def _count_structure(data: bytes) -> int:
    """Return an upper bound of the number of array elements, object members and containers in JSON."""
    return 1 + data.count(b"[") + data.count(b"{") + data.count(b",")
