"""Readers: functions that turn a node of config.yaml into a checked value, composed into the tables of the schema.

A reader takes a `Place` and returns its value, or raises `InvalidValue` with the rule that the value breaks. The
composing readers, `list_of` and `mapping`, report what their parts reject and go on, so that one pass finds every
problem of the file.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, TypeVar

from config.source.document import Broken, Entries, Items, Node, Scalar, join, may_show_key
from config.source.problems import Problems
from config.source.scalars import ScalarValue, resolve

T = TypeVar("T")

_MAX_SHOWN_CHARS = 60
_WITH_UNIT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(?:s|sec|seconds?|mb)", re.IGNORECASE)
_LEADING = re.compile(r"^[a-z]*")  # the family in gemini-2.5-pro


class InvalidValue(Exception):  # noqa: N818 -- it never leaves this package: `mapping` and `list_of` report it
    """A value breaks a rule; the message states the rule and what was found instead."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of models, mixtures and aliases, which share one namespace, each with the place that defines it."""

    models: dict[str, "Place"] = field(default_factory=dict)
    mixtures: dict[str, "Place"] = field(default_factory=dict)
    aliases: dict[str, "Place"] = field(default_factory=dict)

    def find(self, name: str) -> "Place | None":
        """Return the place that defines a name, or None if the name is free."""
        return self.models.get(name) or self.mixtures.get(name) or self.aliases.get(name)


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the document with its path, and the collector for problems found there."""

    node: Node
    path: str
    problems: Problems
    names: Names

    def child(self, key: str | int, node: Node) -> "Place":
        """Return the place of one entry of this node."""
        return Place(node, join(self.path, key), self.problems, self.names)

    def report(self, message: str) -> None:
        """Add a problem with the value of this place."""
        self.problems.add(self.node.line, self.path, message)


Reader = Callable[[Place], T]
Table = Mapping[str, Reader[Any]]


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping of config.yaml that was read by a table. `values` has the keys that are set and valid."""

    place: Place
    values: Mapping[str, Any]

    def has(self, key: str) -> bool:
        """Whether the file sets this key, valid or not. A null counts as unset."""
        node = _child_nodes(self.place).get(key)
        return node is not None and not _is_null(node)

    def place_of(self, key: str) -> Place:
        """Return the place of a key, or the start of the section if the key is unset."""
        return self.place.child(key, _child_nodes(self.place).get(key, Broken(self.place.node.line)))

    def values_for(self, settings: type) -> dict[str, Any]:
        """Return the values whose keys are fields of a settings dataclass.

        A key that needs no conversion reaches `Settings` by this alone: a row in the schema and a field with the same
        name are enough.
        """
        names = {each.name for each in fields(settings)}
        return {key: value for key, value in self.values.items() if key in names}


def describe(place: Place) -> str:
    """Describe a value for a message, but never show one that came from the environment: it may be a key."""
    node = place.node
    if isinstance(node, Items):
        return "is a list"
    if not isinstance(node, Scalar):
        return "is a mapping"
    if node.variables:
        return f"is {'the value' if node.text else 'the empty value'} of {name_variables(node)}"
    text = json.dumps(node.value, ensure_ascii=False)
    return f"is {text if len(text) <= _MAX_SHOWN_CHARS else text[:_MAX_SHOWN_CHARS] + '…'}"


def name_variables(node: Scalar) -> str:
    """Return the variables that a value was built from: `${OPENAI_API_KEY}`."""
    return " and ".join(f"${{{variable}}}" for variable in node.variables)


def require_scalar(place: Place, rule: str) -> Scalar:
    """Return the node if it is a single value. Raises InvalidValue with `rule` if it is a list or a mapping."""
    if not isinstance(place.node, Scalar):
        raise InvalidValue(f"{rule}, {describe(place)}")
    return place.node


def boolean(place: Place) -> bool:
    """Read true or false."""
    rule = "must be true or false"
    node = require_scalar(place, rule)
    if not isinstance(node.value, bool):
        raise InvalidValue(f"{rule}, {describe(place)}{_hint_at_quotes(node, bool)}")
    return node.value


def integer(least: int, most: int | None = None) -> Reader[int]:
    """Read a whole number between two bounds, both included."""
    bounds = f"must be between {least} and {most}" if most is not None else f"must be at least {least}"

    def read(place: Place) -> int:
        rule = "must be a whole number"
        node = require_scalar(place, rule)
        if isinstance(node.value, bool) or not isinstance(node.value, int):
            raise InvalidValue(f"{rule}, {describe(place)}{_hint_at_quotes(node, int)}")
        if node.value < least or (most is not None and node.value > most):
            raise InvalidValue(f"{bounds}, {describe(place)}")
        return node.value

    return read


def number(*, above: float | None = None, least: float | None = None) -> Reader[float]:
    """Read a finite number that is greater than `above`, or at least `least`."""

    def read(place: Place) -> float:
        rule = "must be a number"
        node = require_scalar(place, rule)
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise InvalidValue(f"{rule}, {describe(place)}{_hint_at_unit(node) or _hint_at_quotes(node, int, float)}")
        if not is_finite(node.value):
            raise InvalidValue(f"must be a finite number, {describe(place)}")
        if above is not None and node.value <= above:
            raise InvalidValue(f"must be > {above:g}, {describe(place)}")
        if least is not None and node.value < least:
            raise InvalidValue(f"must be >= {least:g}, {describe(place)}")
        return float(node.value)

    return read


def text(place: Place) -> str:
    """Read a text that is not blank. The value of a variable is text, even if it looks like a number."""
    rule = "must be text"
    node = require_scalar(place, rule)
    if not isinstance(node.value, str) and not node.variables:
        raise InvalidValue(f"{rule}, {describe(place)}: put it in quotes")
    if not node.text.strip():
        raise InvalidValue(f"must not be empty, {describe(place)}")
    return node.text


def one_of(*words: str, synonyms: Mapping[str, str] | None = None) -> Reader[str]:
    """Read one of these words. `synonyms` are other names that people try, mapped to the right word."""

    def read(place: Place) -> str:
        rule = f"must be {_enumerate(words, 'or')}"
        node = require_scalar(place, rule)
        if node.text not in words or not isinstance(node.value, str):
            hint = "" if node.variables else suggest(node.text, words, synonyms)
            raise InvalidValue(f"{rule}, {describe(place)}{hint}")
        return node.text

    return read


def list_of(read_item: Reader[T], *, unique: bool = False, least: int = 0) -> Reader[tuple[T, ...]]:
    """Read a list of at least `least` items with one reader; items that it rejects are reported and left out."""

    def read(place: Place) -> tuple[T, ...]:
        if not isinstance(place.node, Items):
            hint = ": begin each entry with a dash" if isinstance(place.node, Entries) else ": put it in brackets"
            raise InvalidValue(f"must be a list, {describe(place)}{hint}")
        if len(place.node.nodes) < least:
            raise InvalidValue("must not be empty")
        values: list[T] = []
        for index, node in enumerate(place.node.nodes):
            item = place.child(index, node)
            for value in _read_or_report(read_item, item):
                if unique and value in values:
                    item.report(f"is listed twice, first as [{values.index(value)}]")
                values.append(value)
        return tuple(values)

    return read


def mapping(
    table: Table, *, required: Collection[str] = (), sections: Mapping[str, Table] | None = None
) -> Reader[Section]:
    """Read a mapping by a table of its keys; unknown and missing keys are reported.

    `sections` are other tables by their paths: a key that is unknown here but known there is probably indented wrongly,
    and the message says where it belongs.
    """

    def read(place: Place) -> Section:
        if not isinstance(place.node, Entries):
            hint = f": write {{{', '.join(f'{key}: …' for key in required)}}}" if required else ""
            raise InvalidValue(f"must be a mapping, {describe(place)}{hint}")
        for key in [key for key in place.node.nodes if key not in table]:
            message = _describe_unknown_key(key, table, sections or {})
            place.problems.add(place.node.key_lines[key], join(place.path, key), message)
        values: dict[str, Any] = {}
        for key, read_value in table.items():
            node = place.node.nodes.get(key)
            if node is None or _is_null(node):
                if key in required:
                    place.problems.add(place.node.line, join(place.path, key), "is missing")
                continue
            for value in _read_or_report(read_value, place.child(key, node)):
                values[key] = value
        return Section(place, values)

    return read


def suggest(word: str, words: Collection[str], synonyms: Mapping[str, str] | None = None) -> str:
    """Return `: did you mean …?` if a synonym is known or one of `words` is spelled alike, else an empty text."""
    folded = word.casefold()
    known = synonyms or {}
    close = [
        known.get(folded),
        *get_close_matches(word, words, n=1, cutoff=0.65),
        known.get(_LEADING.findall(folded)[0]),
    ]
    found = next((each for each in close if each in words), None)
    return f": did you mean {found}?" if found else ""


def is_finite(value: float) -> bool:
    """Whether JSON and a clock can take a number: it is not NaN, not infinite, and not too large for a double."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _read_or_report(read: Reader[T], place: Place) -> tuple[T] | tuple[()]:
    """Return the value in a tuple, or an empty tuple after reporting why it is invalid."""
    if isinstance(place.node, Broken):
        return ()
    try:
        return (read(place),)
    except InvalidValue as error:
        place.report(str(error))
        return ()


def _child_nodes(place: Place) -> Mapping[str, Node]:
    return place.node.nodes if isinstance(place.node, Entries) else {}


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None and not node.variables


def _hint_at_quotes(node: Scalar, *types: type[ScalarValue]) -> str:
    is_quoted = isinstance(node.value, str) and type(resolve(node.text)) in types
    return ": remove the quotes" if is_quoted else ""


def _hint_at_unit(node: Scalar) -> str:
    """Return a hint if a number has a unit, which the key's name states already: `timeout_s: 30s`."""
    found = None if node.variables else _WITH_UNIT.fullmatch(node.text)
    return f": write {found[1]}" if found else ""


def _describe_unknown_key(key: str, table: Table, sections: Mapping[str, Table]) -> str:
    before, colon, _ = key.partition(":")
    if colon and before in table:
        return f"is not a key: write a space after the colon of {before}:"
    if key not in table and key.strip("\u00a0\u200b\ufeff ") in table:
        return "is an unknown key: it has an invisible character or a non-breaking space; type it again"
    if not may_show_key(key):
        return "is an unknown key"
    hint = suggest(key, table)
    homes = [f"under {path}" if path else "at the top level" for path in sections if key in sections[path]]
    if homes and not hint:
        hint = f": it belongs {_enumerate(homes, 'or')}; check its indentation"
    if not hint and "params" in table:
        hint = ": a parameter of chat completions goes under params"
    return f"is an unknown key{hint}"


def _enumerate(words: Collection[str], conjunction: str) -> str:
    *most, last = words
    return f"{', '.join(most)} {conjunction} {last}" if most else last
