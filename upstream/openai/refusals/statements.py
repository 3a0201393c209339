"""Reads the statements of an error reply of any shape: words, codes, and the path of the refused field. Pure."""

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
_MAX_ITEMS = 10  # fields of one list
_MAX_NODES = 1_000  # values of an error that are looked at
_WORD_KEYS = ("message", "msg", "description", "detail", "reason")
_PATH_KEYS = ("loc", "param", "field", "property", "pointer", "instancePath", "additionalProperty", "parameter", "name")
_WRAPPERS = frozenset({"metadata", "detail", "details", "error", "errors", "messages", "reasons"})
_PATH_HOLDERS = ("source", "params")  # of JSON:API, and of Ajv
_TUPLE = re.compile(r"['\"]loc['\"]: ?[(\[]([^)\]]*)[)\]]")


@frozen
class Statement:
    """One statement of a refusal: its words, its code, and the path of the field that it points at."""

    words: str = ""
    code: str = ""
    path: tuple[str, ...] = ()

    @property
    def refuses(self) -> bool:
        """Whether it certainly means that something is refused."""
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
    """Return the first JSON object or list of objects inside a text, or None."""
    start = min((at for at in (text.find("{"), text.find("[{")) if at >= 0), default=-1)
    if start < 0:
        return None
    try:
        return json.JSONDecoder().raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


def _walk_object(value: Mapping[str, Any], depth: int, nodes: Iterator[int]) -> Iterator[Statement]:
    words = next((value[key] for key in _WORD_KEYS if isinstance(value.get(key), str)), "")
    code = next((str(value[key]) for key in ("code", "type") if str(value.get(key)).lower() in CODES), "")
    path = next((path for each in (value, *map(value.get, _PATH_HOLDERS)) if (path := _find_path(each))), ())
    if path or code:
        yield Statement(words[:_MAX_WORDS], code, path)
    elif words:
        yield from _walk_text(words, depth, nodes)
    for key, each in islice(value.items(), _MAX_NODES):
        if isinstance(each, dict | list) and key not in ("loc", "input", "ctx"):
            if not (words and key in _WRAPPERS):  # beside a message they hold more about the error
                yield from _read_entry(key, each)
            yield from _walk(each, depth + 1, nodes)
        elif (
            isinstance(each, str)
            and each is not words
            and (key in ("error", "raw", "details", "reason") or each[:1] in "{[")
        ):
            yield from _walk_text(each, depth, nodes)


def _find_path(value: Any) -> tuple[str, ...]:
    """Return the path at which an object of an error points, () if it points at none."""
    if not isinstance(value, dict):
        return ()
    for key in _PATH_KEYS:
        path = value.get(key)
        if isinstance(path, list):
            return _strip_body([str(each) for each in path[:_MAX_STATEMENTS]])
        if isinstance(path, str) and path:
            return split_path(path[:_MAX_WORDS])
    return ()


def _read_entry(key: str, value: Any) -> Iterator[Statement]:
    """Read a list of texts under a key: what is wrong with that field, or fields with what is wrong as the key.

    `{"seed": ["Unknown field."]}` is of marshmallow and Laravel, `{"unsupported_parameters": ["seed"]}` of relays.
    """
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value[:_MAX_ITEMS]):
        yield Statement(value[0][:_MAX_WORDS], "", split_path(key))
        title = key.replace("_", " ")
        if REFUSES.search(title):
            yield from (Statement(title, "", split_path(each)) for each in value[:_MAX_ITEMS])


def _strip_body(path: Sequence[str]) -> tuple[str, ...]:
    return tuple(path[1:] if path and path[0] in ("body", "data", "json") else path)


def split_path(param: str) -> tuple[str, ...]:
    """Return the names and positions of a path such as `messages[0].role`, `$.seed` or `#/data/seed`."""
    return _strip_body([each for each in re.split(r"[.\[\]/'\"]+", param) if each and each not in ("#", "$")])
