"""A trace as JSON: encode, indent, decode. Pure.

A trace holds values of clients and models, which are not always JSON by RFC 8259: NaN, and halves of surrogate pairs.
msgspec is ten times as fast as the standard library and refuses these; so it goes first, and `json` does the rest.
"""

import json
import re
from typing import Any

import msgspec

from handlers.traces.schema import Trace

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Trace)
_UNENCODABLE = (UnicodeEncodeError, OverflowError)  # half a surrogate pair; a number of more than 64 bits
_PACKER = msgspec.msgpack.Encoder()
# NaN or an infinity in MessagePack: a type byte, and a double whose exponent is all ones. In UTF-8 no \xcb stands
# before such a byte; a number that looks like it by chance takes the slow way.
_NOT_FINITE = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]")


def encode_trace(trace: Trace) -> bytes:
    """Return a trace as JSON on one line. Raises TypeError if it holds a value that JSON cannot express."""
    if _is_finite(_values_of_upstreams(trace)):
        try:
            return _ENCODER.encode(trace)
        except _UNENCODABLE:
            pass  # encoded by the standard library below
    return json.dumps(msgspec.to_builtins(trace), ensure_ascii=False).encode(errors="backslashreplace")


def indent(data: bytes) -> bytes:
    """Return the JSON of `encode_trace` laid out for people: a line for each value, two spaces for each depth."""
    try:
        return msgspec.json.format(data, indent=2)
    except msgspec.DecodeError:
        return json.dumps(json.loads(data), indent=2, ensure_ascii=False).encode(errors="backslashreplace")


def decode_trace(data: bytes | str) -> Trace:
    """Return a trace from its JSON, of this version or an older one. Raises ValueError if it is not a trace."""
    try:
        return _decode(data)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ValueError(f"not a trace: {error}") from error


def _decode(data: bytes | str) -> Trace:
    try:
        return _DECODER.decode(data)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):  # not JSON by RFC 8259, or not JSON at all
        return msgspec.convert(json.loads(data), Trace)


def _values_of_upstreams(trace: Trace) -> list[Any]:
    """Return the only values that may hold a NaN: those that upstreams sent. The client's were checked."""
    completions = [*trace.candidates, *trace.answers, *(author.said for author in trace.authors if author.said)]
    return [trace.calls, [each.tool_calls for each in completions if each.tool_calls]]


def _is_finite(value: Any) -> bool:
    """Whether no number in it is NaN or infinite: the fast encoder would write null for these, without an error."""
    try:
        return _NOT_FINITE.search(_PACKER.encode(value)) is None
    except _UNENCODABLE:
        return False
