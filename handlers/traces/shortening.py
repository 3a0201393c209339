"""Shortens the long texts of a large trace, so that one request fills neither the disk nor a page. Pure.

A request may have 32 MB, each candidate 4 million characters, and each critic's prompt repeats all of it. Only traces
above MAX_CHARS are shortened, and only their longest texts, all to the same length: the largest one with which the
trace fits ("water-filling"). A short text stays whole, however long its neighbours are.
"""

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from handlers.traces.schema import Trace

MAX_CHARS = 2**21
"""The characters of all texts of a trace; a conversation of half a million tokens is kept as it is."""

_LEAST_CHARS = 500
_NOTE = "\n[… {:,} characters are left out of this trace …]\n"


def shorten(trace: Trace, secrets: Iterable[str] = (), max_chars: int = MAX_CHARS) -> Trace:
    """Return a trace with about `max_chars` characters at most, and their number in `cut_chars`; or the trace itself.

    A text keeps its beginning, its end, and a note between them. No cut goes through one of the `secrets`: redaction
    finds only whole ones.
    """
    plain = msgspec.to_builtins(trace)  # copies objects and lists, but no text
    texts, n_chars = _collect_texts(plain)
    if n_chars <= max_chars:
        return trace
    n_short = n_chars - sum(len(holder[key]) for holder, key in texts)
    limit = _find_limit(sorted(len(holder[key]) for holder, key in texts), max_chars - n_short)
    forms = tuple(form for secret in secrets for form in {secret, json.dumps(secret)[1:-1]})
    n_cut = 0
    for holder, key in texts:
        if len(holder[key]) > limit:
            holder[key], n = _cut(holder[key], limit, forms)
            n_cut += n
    return msgspec.convert({**plain, "cut_chars": n_cut}, Trace)


def _collect_texts(root: Any) -> tuple[list[tuple[Any, Any]], int]:
    """Return the places of all texts that may be shortened, as holder and key, and the characters of all texts."""
    places: list[tuple[Any, Any]] = []
    n_chars = 0
    holders = [root]
    while holders:
        holder = holders.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if isinstance(value, (dict, list)):
                holders.append(value)
            elif isinstance(value, str):
                n_chars += len(value)
                if len(value) > _LEAST_CHARS:
                    places.append((holder, key))
    return places, n_chars


def _find_limit(lengths: list[int], room: int) -> int:
    """Return the largest limit with which texts of these lengths, in ascending order, fit into the room together."""
    for at, length in enumerate(lengths):
        share = room // (len(lengths) - at)
        if length > share:
            return max(share, _LEAST_CHARS)
        room -= length
    return max(lengths, default=_LEAST_CHARS)


def _cut(text: str, limit: int, secrets: Iterable[str]) -> tuple[str, int]:
    """Return the beginning and the end of a text, and how many characters between them are left out."""
    start, end = limit * 2 // 3, len(text) - limit // 3
    for secret in secrets:
        found = text.find(secret, max(0, start - len(secret) + 1), start + len(secret) - 1)
        start = found if found >= 0 else start
        found = text.find(secret, max(0, end - len(secret) + 1), end + len(secret) - 1)
        end = found + len(secret) if found >= 0 else end
    return f"{text[:start]}{_NOTE.format(end - start)}{text[end:]}", end - start
