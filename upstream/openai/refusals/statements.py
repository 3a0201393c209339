"""Reads the statements of an error reply of any shape: words, codes, and the path of the field they are about. Pure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Any

from runtime.frozen import frozen
from upstream.openai.refusals.words import BAD_SCHEMA, CODES, LACKS, REFUSES, VALUE

_MAX_STATEMENTS = 40
_MAX_DEPTH = 6
_MAX_WORDS = 2_000  # characters; an error may quote a whole prompt
_MAX_WORDS_IN_ALL = 8_000  # some thirty expressions look at each
_MAX_NODES = 1_000  # values of an error that are looked at
_TUPLE = re.compile(r"['\"]loc['\"]: ?[(\[]([^)\]]*)[)\]]")


@frozen
class Statement:
    """One statement of a refusal: its words, its code, and the path of the field that it points at."""

    words: str = ""
    code: str = ""
    path: tuple[str, ...] = ()

    @property
    def refuses(self) -> bool:
        """Whether it can mean nothing but that something is not taken."""
        if self.code.lower() in CODES:
            return True
        return REFUSES.search(self.words) is not None and not any(
            pattern.search(self.words) for pattern in (VALUE, LACKS, BAD_SCHEMA)
        )

    def says(self, pattern: str) -> bool:
        """Whether its words match a pattern, whatever their case."""
        return re.search(pattern, self.words, re.IGNORECASE) is not None


def read_statements(body: Any) -> list[Statement]:
    """Return the statements of an error reply, a JSON value or a text, in the order in which they stand."""
    found: dict[Statement, None] = {}
    n_chars = 0
    for statement in _walk(body, 0, count(1)):
        if statement in found:
            continue
        n_chars += len(statement.words)
        if len(found) >= _MAX_STATEMENTS or n_chars > _MAX_WORDS_IN_ALL:
            break
        found[statement] = None
    return list(found)


def _walk(value: Any, depth: int, nodes: Iterator[int]) -> Iterator[Statement]:
    if depth > _MAX_DEPTH or next(nodes) > _MAX_NODES:
        return
    if isinstance(value, str):
        yield from _walk_text(value, depth, nodes)
    elif isinstance(value, list):
        for each in value[:_MAX_NODES]:
            yield from _walk(each, depth + 1, nodes)
    elif isinstance(value, dict):
        yield from _walk_object(value, depth, nodes)


def _walk_text(text: str, depth: int, nodes: Iterator[int]) -> Iterator[Statement]:
    quoted = list(_walk(_find_json(text), depth + 1, nodes))  # a relay quotes the provider's reply
    if quoted:
        yield from quoted
        return
    words = text[:_MAX_WORDS]
    for path in _TUPLE.findall(words):  # pydantic's errors as Python shows them
        yield Statement(words, "", _strip_body(re.findall(r"[\w$-]+", path)))
    yield Statement(words)


def _find_json(text: str) -> Any:
    """Return the first JSON object or list of objects inside a text, or None if there is none."""
    start = min((at for at in (text.find("{"), text.find("[{")) if at >= 0), default=-1)
    if start < 0:
        return None
    try:
        return json.JSONDecoder().raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


def _walk_object(value: Mapping[str, Any], depth: int, nodes: Iterator[int]) -> Iterator[Statement]:
    words = next(
        (value[key] for key in ("message", "msg", "description", "detail") if isinstance(value.get(key), str)), ""
    )
    code = next((str(value[key]) for key in ("code", "type") if str(value.get(key)).lower() in CODES), "")
    path: tuple[str, ...] = ()
    if isinstance(value.get("loc"), list):
        path = _strip_body([str(each) for each in value["loc"]])
    elif isinstance(value.get("param"), str):
        path = split_path(value["param"])
    if path or code:
        yield Statement(words[:_MAX_WORDS], code, path)
    elif words:
        yield from _walk_text(words, depth, nodes)
    for key, each in islice(value.items(), _MAX_NODES):
        if isinstance(each, dict | list) and key not in ("loc", "input", "ctx"):
            yield from _walk(each, depth + 1, nodes)
        elif (
            isinstance(each, str)
            and each is not words
            and (key in ("error", "raw", "details", "reason") or each[:1] in "{[")
        ):
            yield from _walk_text(each, depth, nodes)


def _strip_body(path: Sequence[str]) -> tuple[str, ...]:
    return tuple(path[1:] if path and path[0] == "body" else path)


def split_path(param: str) -> tuple[str, ...]:
    """Return the names and positions of a path such as `messages[0].role`."""
    return _strip_body([each for each in re.split(r"[.\[\]/'\"]+", param) if each])
