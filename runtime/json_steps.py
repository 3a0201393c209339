"""Decode, count and encode large JSON in small steps, so that other tasks can run in between. Pure.

Each `next` does one step, mostly of about a millisecond, and the value of the generator is the result: `TimeSlice.run`
drives it on the event loop, `finish` at once. For small values runtime/json_codec.py is faster, with the same results.
"""

import re
from collections.abc import Generator, Mapping
from typing import Any, TypeVar

import msgspec

from runtime import json_codec

STEP_BYTES = 2**18
"""JSON up to this size is decoded in one step, and text up to this length encoded in one."""

MAX_WIDE_CHARS = 2**23
"""The longest text with characters beyond ASCII: each takes up to four bytes, and all of them are moved at once."""

_MAX_LEVELS = 32  # of values above STEP_BYTES inside each other: each costs one look at all of its bytes
_MAX_NODES = 2_000  # values that are encoded in one step
_ESCAPE_BYTES = 6  # of the longest, as `\u00e9`; a character beyond U+FFFF has two of them, called surrogates
_HIGH_SURROGATE = re.compile(rb"\\u[dD][89abAB]")
_SPACE = b" \t\n\r"  # RFC 8259, section 2
_QUOTE, _BRACKET, _BRACE = b'"[{'
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])

_T = TypeVar("_T")
Steps = Generator[None, None, _T]
"""Work in steps: each `next` does one, and the last returns the result."""


class LargeTextError(Exception):
    """A text is too long for its characters."""


def finish(steps: Steps[_T]) -> _T:
    """Do all steps, and return the result."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        result: _T = end.value
        return result


# Strategy. msgspec decodes 32 MB in 10 to 100 ms, holding the interpreter lock, in one call that cannot be divided; a
# thread would not help. But it can also skip a value, which is two to six times as fast, and return the bytes of each
# member or item (`msgspec.Raw`). So a large object or array is skipped through once, and its values are decoded one by
# one, in the same way if they are large as well. What remains is a large string: its bytes are cut between characters
# and outside escapes, and each piece is decoded as a string of its own.
def decode(data: bytes) -> Steps[Any]:
    """Return the value of strict JSON in UTF-8. Raises ValueError or RecursionError for anything else, NaN included.

    Raises ValueError also for valid JSON with a lone surrogate, or with large values more than 32 levels deep, and
    LargeTextError for a text of more than MAX_WIDE_CHARS.
    """
    view = memoryview(data)
    start = end = 0
    while start == end < len(data):
        piece = data[end : end + STEP_BYTES]
        start, end = end + len(piece) - len(piece.lstrip(_SPACE)), end + len(piece)
        yield
    return (yield from _decode(view[start:], _MAX_LEVELS))


def _decode(data: memoryview, levels: int) -> Steps[Any]:
    yield
    if len(data) <= STEP_BYTES:
        return json_codec.decode_fast(data)
    if not levels:
        raise ValueError("large values are nested too deeply")
    if data[0] == _BRACE:
        members = _MEMBERS.decode(data)
        found: dict[str, Any] = {}
        for name, raw in members.items():
            found[name] = yield from _decode(memoryview(raw), levels - 1)
        return found
    if data[0] == _BRACKET:
        items: list[Any] = []
        for raw in _ITEMS.decode(data):
            items.append((yield from _decode(memoryview(raw), levels - 1)))  # noqa: PERF401 -- a comprehension cannot yield
        return items
    if data[0] == data[-1] == _QUOTE:
        return (yield from _decode_string(data[1:-1]))
    return json_codec.decode_fast(data)  # a number, or not JSON


def _decode_string(data: memoryview) -> Steps[str]:
    """Return the text of a JSON string without its quotes."""
    texts: list[str] = []
    n_chars, is_wide = 0, False
    at = 0
    while at < len(data):
        piece = bytes(data[at : at + STEP_BYTES])
        if at + len(piece) < len(data):
            piece = piece[: _find_cut(piece)]
        text: str = json_codec.decode_fast(b'"%b"' % piece)
        texts.append(text)
        n_chars, is_wide = n_chars + len(text), is_wide or not text.isascii()
        if is_wide and n_chars > MAX_WIDE_CHARS:
            raise LargeTextError(f"a text that is not ASCII has more than {MAX_WIDE_CHARS:,} characters")
        at += len(piece)
        yield
    return "".join(texts)


def _find_cut(piece: bytes) -> int:
    """Return where to cut the beginning of a long string: not in a character, an escape or a pair of surrogates."""
    last = piece.rfind(b"\\", len(piece) - 2 * _ESCAPE_BYTES)
    if last < 0:
        end = len(piece) - 1
        while piece[end] & 0xC0 == 0x80:  # noqa: PLR2004 -- a byte inside a character, RFC 3629
            end -= 1
        return end
    if not _begins_escape(piece, last):
        return last + 1
    before = last - _ESCAPE_BYTES
    return before if _HIGH_SURROGATE.match(piece, before) and _begins_escape(piece, before) else last


def _begins_escape(piece: bytes, at: int) -> bool:
    """Whether the backslash at this place is not itself escaped."""
    begin = piece[: at + 1]
    return (len(begin) - len(begin.rstrip(b"\\"))) % 2 == 1


def exceeds_values(data: bytes, limit: int) -> Steps[bool]:
    """Whether JSON may hold more than `limit` values, found by counting bytes, without decoding it.

    Never False for a text with more values. True for a text with fewer only if it is malformed or is not UTF-8. Time
    grows linearly with the text: about 1 ms per megabyte, and about 5 ms if the strings hold many commas and brackets.
    """
    # Decoding takes time and memory by the number of values, not by the size: 32 MB of `[[],[],…` become 400 MB of
    # objects. Each value but the first follows a `[`, `{`, `,` or `:`, so counting the first three bounds the elements,
    # and with as many names the values. Prose is full of commas, so a count that is too high is repeated without the
    # strings. UTF-16 passes quotes off as other characters, so for it the first count stands.
    n_values, has_nul = 1, False
    for at in range(0, len(data), STEP_BYTES):
        piece = data[at : at + STEP_BYTES]
        n_values += _count_structure(piece)
        has_nul = has_nul or b"\0" in piece
        yield
    if n_values <= limit or has_nul:
        return n_values > limit
    n_values, at, is_inside = 1, 0, False
    while at < len(data) and n_values <= limit:
        piece = data[at : at + STEP_BYTES]
        n_backslashes = len(piece) - len(piece.rstrip(b"\\"))
        if n_backslashes % 2 and at + len(piece) < len(data):
            piece = piece[:-1]  # a backslash, which escapes the next character
        at += len(piece)
        parts = piece.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        n_values += _count_structure(b"".join(parts[is_inside::2]))
        is_inside ^= len(parts) % 2 == 0
        yield
    return n_values > limit


def _count_structure(data: bytes) -> int:
    """Return the number of array elements and object members that begin in JSON, or more."""
    return data.count(b"[") + data.count(b"{") + data.count(b",")


def encode(value: Any) -> Steps[list[bytes]]:
    """Return the pieces of a value as JSON, which together mean the same as `json_codec.encode`; TypeError likewise.

    The names of members are strings.
    """
    pieces: list[bytes] = []
    yield from _encode(value, pieces)
    return pieces


def _encode(value: Any, pieces: list[bytes]) -> Steps[None]:
    if _is_small(value):
        pieces.append(json_codec.encode(value))
        yield
    elif isinstance(value, str):
        pieces.append(b'"')
        for at in range(0, len(value), STEP_BYTES):
            pieces.append(json_codec.encode(value[at : at + STEP_BYTES])[1:-1])
            yield
        pieces.append(b'"')
    elif isinstance(value, Mapping):
        mark = b"{"
        for name, each in value.items():
            pieces += (mark, json_codec.encode(name), b":")
            yield from _encode(each, pieces)
            mark = b","
        pieces.append(b"}")
    else:
        mark = b"["
        for each in value:
            pieces.append(mark)
            yield from _encode(each, pieces)
            mark = b","
        pieces.append(b"]")


def _is_small(value: Any) -> bool:
    """Whether a value is encoded in one step: it has few values and little text, or is no container at all."""
    n_nodes, n_chars = 0, 0
    nodes = [value]
    while nodes:
        node = nodes.pop()
        n_nodes += 1
        if isinstance(node, str):
            n_chars += len(node)
        elif isinstance(node, Mapping):
            nodes += node.values()
            n_chars += sum(map(len, node))
        elif isinstance(node, list | tuple):
            nodes += node
        if n_nodes + len(nodes) > _MAX_NODES or n_chars > STEP_BYTES:
            return False
    return True
