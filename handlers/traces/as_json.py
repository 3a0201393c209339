"""A trace as JSON. Pure.

It holds what clients and models have sent, so not everything in it is JSON by the book: NaN, and halves of surrogate
pairs. Those are written as the standard library does; all else by an encoder that is ten times as fast.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()
_UNENCODABLE = (UnicodeEncodeError, OverflowError)  # half a surrogate pair; a number of more than 64 bits
_PACKER = msgspec.msgpack.Encoder()
# NaN or an infinity as MessagePack has it: a mark, and a double whose exponent is all ones. In UTF-8 no \xcb comes
# before such a byte; a number that looks like it by chance goes the slow way.
_NOT_FINITE = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]")


def encoded(document: Mapping[str, Any], foreign: Any) -> bytes:
    """Return the document on one line; TypeError where it holds what JSON has no word for.

    `foreign` is what of it may hold a NaN: values of upstreams, for all others have been checked.
    """
    if _is_plain(foreign):
        try:
            return _ENCODER.encode(document)
        except _UNENCODABLE:
            pass  # by the standard library, then
    return json.dumps(document, ensure_ascii=False).encode(errors="backslashreplace")


def indented(data: bytes) -> bytes:
    """Return what `encoded` gave as people read it: a line for each value, two spaces for each depth."""
    try:
        return msgspec.json.format(data, indent=2)
    except msgspec.DecodeError:
        return json.dumps(json.loads(data), indent=2, ensure_ascii=False).encode(errors="backslashreplace")


def _is_plain(value: Any) -> bool:
    """Whether the fast encoder loses nothing: it would make null of NaN, which no setting of it forbids."""
    try:
        return _NOT_FINITE.search(_PACKER.encode(value)) is None
    except _UNENCODABLE:
        return False
