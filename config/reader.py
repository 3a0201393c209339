"""Checks that read a tree into values, made to be composed into tables that look like the schema.

A check takes a `Place` and returns the value that stands there, or raises `Refused` with the rule that it breaks.
The composing checks, `each` and `keys`, note what their parts refuse and go on, so that one reading finds
everything that is wrong.
"""

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from config.document import Broken, Entries, Items, Node, Scalar, join, may_show_key
from config.problems import Problems
from config.scalars import ScalarValue, resolve

T = TypeVar("T")

_LONGEST_SHOWN = 60


class Refused(Exception):  # noqa: N818 - it is a verdict on a value, noted and never let out
    """A value breaks a rule; the text says the rule, and what stands there instead."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names given so far to models and mixtures, which share one space, with where each was given."""

    models: dict[str, "Place"]
    mixtures: dict[str, "Place"]

    def place(self, name: str) -> "Place | None":
        """Return where a name was given, None where it is free."""
        return self.models.get(name) or self.mixtures.get(name)


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the tree, the path to it, and where to note what is wrong with it."""

    node: Node
    path: str
    problems: Problems
    names: Names

    def inside(self, key: str | int, node: Node) -> "Place":
        """Return the place of one entry of this one."""
        return Place(node, join(self.path, key), self.problems, self.names)

    def refuse(self, message: str) -> None:
        """Note a problem with what stands here."""
        self.problems.add(self.node.line, self.path, message)


Check = Callable[[Place], T]
Keys = Mapping[str, Check[Any]]


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping that was read by a table. `values` lacks what was left out, and what was refused."""

    place: Place
    values: Mapping[str, Any]

    def has(self, key: str) -> bool:
        """Tell whether the file gives this key, be it rightly or wrongly. A null is as good as no key."""
        node = _nodes(self.place).get(key)
        return node is not None and not _is_left_out(node)

    def at(self, key: str) -> Place:
        """Return the place of a key; of the mapping's start where the key is left out."""
        return self.place.inside(key, _nodes(self.place).get(key, Broken(self.place.node.line)))


def shown(place: Place) -> str:
    """Say what stands there, but never a value that came from the environment: it may be a key."""
    node = place.node
    if isinstance(node, Items):
        return "is a list"
    if not isinstance(node, Scalar):
        return "is a mapping"
    if node.variables:
        return f"is {'the value' if node.text else 'the empty value'} of {origin(node)}"
    text = json.dumps(node.value, ensure_ascii=False)
    return f"is {text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + '…'}"


def origin(node: Scalar) -> str:
    """Name the variables that a value was made of: `${OPENAI_API_KEY}`."""
    return " and ".join(f"${{{variable}}}" for variable in node.variables)


def scalar(place: Place, rule: str) -> Scalar:
    """Return the single value there, which `rule` demands."""
    if not isinstance(place.node, Scalar):
        raise Refused(f"{rule}, {shown(place)}")
    return place.node


def flag(place: Place) -> bool:
    """Read true or false."""
    rule = "must be true or false"
    node = scalar(place, rule)
    if not isinstance(node.value, bool):
        raise Refused(f"{rule}, {shown(place)}{_quotes_hint(node, bool)}")
    return node.value


def whole(least: int, most: int | None = None) -> Check[int]:
    """Read a whole number in the bounds, both included."""
    bounds = f"must be between {least} and {most}" if most is not None else f"must be at least {least}"

    def check(place: Place) -> int:
        rule = "must be a whole number"
        node = scalar(place, rule)
        if isinstance(node.value, bool) or not isinstance(node.value, int):
            raise Refused(f"{rule}, {shown(place)}{_quotes_hint(node, int)}")
        if node.value < least or (most is not None and node.value > most):
            raise Refused(f"{bounds}, {shown(place)}")
        return node.value

    return check


def number(*, above: float | None = None, least: float | None = None) -> Check[float]:
    """Read a finite number greater than `above`, or not less than `least`."""

    def check(place: Place) -> float:
        rule = "must be a number"
        node = scalar(place, rule)
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise Refused(f"{rule}, {shown(place)}{_quotes_hint(node, int, float)}")
        if not is_finite(node.value):
            raise Refused(f"must be a finite number, {shown(place)}")
        if above is not None and node.value <= above:
            raise Refused(f"must be > {above:g}, {shown(place)}")
        if least is not None and node.value < least:
            raise Refused(f"must be >= {least:g}, {shown(place)}")
        return float(node.value)

    return check


def text(place: Place) -> str:
    """Read a text that is not blank. What a variable holds is text, also where it looks like a number."""
    rule = "must be text"
    node = scalar(place, rule)
    if not isinstance(node.value, str) and not node.variables:
        raise Refused(f"{rule}, {shown(place)}: put it in quotes")
    if not node.text.strip():
        raise Refused(f"must not be empty, {shown(place)}")
    return node.text


def one_of(*words: str) -> Check[str]:
    """Read one of these words."""

    def check(place: Place) -> str:
        rule = f"must be {_listed(words, 'or')}"
        node = scalar(place, rule)
        if node.text not in words or not isinstance(node.value, str):
            raise Refused(f"{rule}, {shown(place)}{'' if node.variables else meant(node.text, words)}")
        return node.text

    return check


def each(check: Check[T], *, unique: bool = False, least: int = 0) -> Check[tuple[T, ...]]:
    """Read a list of at least `least` items with one check, leaving out those that it refuses."""

    def check_items(place: Place) -> tuple[T, ...]:
        if not isinstance(place.node, Items):
            raise Refused(f"must be a list, {shown(place)}")
        if len(place.node.nodes) < least:
            raise Refused("must not be empty")
        values: list[T] = []
        for index, node in enumerate(place.node.nodes):
            item = place.inside(index, node)
            for value in _tried(check, item):
                if unique and value in values:
                    item.refuse(f"is listed twice, first as [{values.index(value)}]")
                values.append(value)
        return tuple(values)

    return check_items


def keys(table: Keys, *, required: Collection[str] = ()) -> Check[Record]:
    """Read a mapping by a table of its keys; a key that is not in it is a problem, and so is one that is missing."""

    def check(place: Place) -> Record:
        if not isinstance(place.node, Entries):
            raise Refused(f"must be a mapping, {shown(place)}")
        for key in [key for key in place.node.nodes if key not in table]:
            place.problems.add(place.node.key_lines[key], join(place.path, key), _unknown(key, table))
        values: dict[str, Any] = {}
        for key, check_value in table.items():
            node = place.node.nodes.get(key)
            if node is None or _is_left_out(node):
                if key in required:
                    place.problems.add(place.node.line, join(place.path, key), "is missing")
                continue
            for value in _tried(check_value, place.inside(key, node)):
                values[key] = value
        return Record(place, values)

    return check


def meant(word: str, words: Collection[str]) -> str:
    """Return `: did you mean …?` where one of `words` is close, else nothing."""
    close = get_close_matches(word, words, n=1, cutoff=0.65)
    return f": did you mean {close[0]}?" if close else ""


def is_finite(value: float) -> bool:
    """Tell whether a number is one that JSON and a clock can take: no NaN, no infinity, not beyond a double."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _tried(check: Check[T], place: Place) -> tuple[T] | tuple[()]:
    """Return the one value that the check reads, or nothing, with the refusal noted."""
    if isinstance(place.node, Broken):
        return ()
    try:
        return (check(place),)
    except Refused as refused:
        place.refuse(str(refused))
        return ()


def _nodes(place: Place) -> Mapping[str, Node]:
    return place.node.nodes if isinstance(place.node, Entries) else {}


def _is_left_out(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None and not node.variables


def _quotes_hint(node: Scalar, *types: type[ScalarValue]) -> str:
    is_quoted = isinstance(node.value, str) and type(resolve(node.text)) in types
    return ": take the quotes off" if is_quoted else ""


def _unknown(key: str, table: Keys) -> str:
    before, colon, _ = key.partition(":")
    if colon and before in table:
        return f"is no key: {before}: needs a space after its colon"
    hint = meant(key, table) if may_show_key(key) else ""
    if not hint and "params" in table:
        hint = ": a parameter of chat completions goes under params"
    return f"is an unknown key{hint}"


def _listed(words: Collection[str], conjunction: str) -> str:
    *most, last = words
    return f"{', '.join(most)} {conjunction} {last}" if most else last
