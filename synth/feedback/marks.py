"""Hash an answer so that it is recognised when a client sends it back. No text is kept. Pure.

Clients do not return an answer byte for byte: aider strips white space at its ends, SDKs split a text into parts, and
agents decode the arguments of tool calls and encode them again in an order and a number format of their own.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from synth.contract.tool_calls import list_calls
from synth.normalize import Completion
from synth.request import Message, text_of

MIN_CHARS = 24
"""Shorter answers ("Done.") are not told apart by their text, so they have no mark."""

MAX_CHARS = 1_000_000
"""Longer answers have no mark: hashing them would block the event loop."""

_MIN_ID_CHARS = 12  # `call_0` and the like come again in every conversation
_DIGEST_BYTES = 16


def mark_answer(completion: Completion, client: str | None) -> tuple[str, ...]:
    """Return the hashes of an answer, the surest first; () if it cannot be recognised.

    `client` is the name of the client's key: answers of one client are never recognised in requests of another.
    """
    return _mark(completion.text, list_calls(completion), client)


def mark_message(message: Message, client: str | None) -> tuple[str, ...]:
    """Return the hashes of an assistant message of a request, equal to those of the answer that it returns."""
    calls = message.get("tool_calls")
    found = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    if isinstance(message.get("function_call"), dict):
        found.append({"function": message["function_call"]})
    return _mark(text_of(message.get("content")), found, client)


def _mark(text: str, calls: Sequence[Mapping[str, Any]], client: str | None) -> tuple[str, ...]:
    # Calls alone identify an answer with calls: agents drop or trim the text beside them. Ids come first, because an
    # agent may complete the arguments, for example by defaults. All white space of a text is dropped, not just that at
    # its ends: clients also rewrap it and join its parts by line ends of their own.
    if not calls:
        squeezed = _squeeze(text) if len(text) <= MAX_CHARS else b""
        return (_hash(b"text", client, squeezed),) if len(squeezed) >= MIN_CHARS else ()
    marks = []
    ids = [str(call.get("id") or "") for call in calls]
    if all(len(each) >= _MIN_ID_CHARS for each in ids):
        marks.append(_hash(b"ids", client, *map(_encode, ids)))
    functions = [call.get("function") or call.get("custom") or {} for call in calls]
    if sum(len(str(each.get("arguments") or each.get("input") or "")) for each in functions) <= MAX_CHARS:
        marks.append(_hash(b"calls", client, *(part for each in functions for part in _read_call(each))))
    return tuple(marks)


def _read_call(function: Mapping[str, Any]) -> Iterable[bytes]:
    """Yield the name of a call, and its arguments in one form for all ways to encode them."""
    yield _encode(str(function.get("name")))
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else str(function.get("input") or "")
    try:
        yield json.dumps(json.loads(text, parse_float=_read_number), sort_keys=True).encode("ascii")
    except (ValueError, RecursionError):  # a custom tool takes any text
        yield _squeeze(text)


def _read_number(digits: str) -> float | int:
    """Return 1 for 1.0, as JavaScript writes it."""
    number = float(digits)
    return int(number) if number.is_integer() else number


def _squeeze(text: str) -> bytes:
    """Return a text without white space, by one pass of built-in code: every answer goes through here."""
    return _encode(text).translate(None, b" \t\n\r\f\v")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _hash(kind: bytes, client: str | None, *parts: bytes) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in (kind, _encode(client or ""), *parts):
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()
