"""YAML to a tree that remembers where everything stood, with `${VAR}` substituted in its scalars.

Substitution comes after parsing, and in values only, so that no environment value can add structure.
No message repeats what the file says: any part of it may be a key.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from config.problems import Problems
from config.scalars import ScalarValue, resolve
from config.substitution import substitute

if TYPE_CHECKING:
    from yaml import SafeLoader as _BaseLoader
else:  # libyaml's parser is ten times as fast, where PyYAML was built with it
    _BaseLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_DEPTH = 50
MAX_NODES = 50_000

_PLAIN = "plain"  # the tag that our loader gives a scalar without quotes and without a tag of its own
_STANDARD = "tag:yaml.org,2002:"
_TEXT, _LIST, _MAPPING = _STANDARD + "str", _STANDARD + "seq", _STANDARD + "map"
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
}
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_QUOTED = re.compile(r"(?P<sign>'.'|'<[a-z ]+>')|'[^']*'|\"[^\"]*\"")  # PyYAML quotes its signs, and the file
_KEY_THAT_MAY_BE_SHOWN = re.compile(r"<<|[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: `text` as written and substituted, `value` with its YAML type.

    `variables` are those that were substituted into it: where there are any, the value must not be shown.
    """

    line: int
    text: str
    value: ScalarValue
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Items:
    """A YAML sequence."""

    line: int
    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """A YAML mapping; its keys are always text (`50256: -100` has the key "50256", as JSON would)."""

    line: int
    nodes: Mapping[str, "Node"]
    key_lines: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Broken:
    """Stands where a problem was found that has been noted already."""

    line: int


Node = Scalar | Items | Entries | Broken


def read(text: str, environ: Mapping[str, str], problems: Problems) -> Node:
    """Return the tree of one YAML document. What is wrong with it goes to `problems`, with `Broken` in its place.

    Anchors, aliases and merge keys work; the tree is bounded in depth and, with aliases written out, in size.
    """
    try:
        return _Tree(environ, problems).node(_compose(text), "")
    except _UnusableError as error:
        problems.add(error.line, "", error.message)
        return Broken(error.line)
    except yaml.YAMLError as error:
        line, message = _syntax_error(error, text)
        problems.add(line, "", f"is not YAML: {message}")
        return Broken(line)


def join(path: str, key: str | int) -> str:
    """Return the path of an entry: `models`, `models[0]`, `models[0].name`. An odd key is not shown."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    shown = key if may_show_key(key) else "(a key that is not shown)"
    return f"{path}.{shown}" if path else shown


def may_show_key(key: str) -> bool:
    """Tell whether a key is short and plain: `{api_key:sk-…}` without its space makes a key of a key."""
    return _KEY_THAT_MAY_BE_SHOWN.fullmatch(key) is not None


class _UnusableError(Exception):
    """The document as a whole cannot be used."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class _Loader(_BaseLoader):
    """Marks plain scalars instead of guessing their type: substitution has to come first."""

    def resolve(self, kind: type[yaml.Node], _value: str | None, implicit: tuple[bool, bool]) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _TEXT
        return _LIST if kind is yaml.SequenceNode else _MAPPING


def _compose(text: str) -> yaml.Node:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):  # libyaml's composer recurses without a bound, and crashes
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _UnusableError(_line(event), f"is nested more than {MAX_DEPTH} levels deep")
    root: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    if root is None:
        raise _UnusableError(1, 'is empty: write at least `models: [{name: openrouter, api_key: "…"}]`')
    return root


def _line(marked: yaml.Node | yaml.Event) -> int:
    line: int = marked.start_mark.line  # type: ignore[union-attr]  # parsing always sets the marks
    return line + 1


def _syntax_error(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """Return line and message. PyYAML's own text shows the file's, so that only its constant parts are kept."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        lines = text.splitlines()
        line = min(error.problem_mark.line + 1, len(lines))  # what is unfinished ends after the last line
        told = ", ".join(part for part in (error.context, error.problem) if part)
        hint = "; within {…} and […], ${VAR} has to be in quotes" if "${" in lines[line - 1] else ""
        return line, _QUOTED.sub(lambda quoted: quoted["sign"] or "…", told) + hint
    found = _UNPRINTABLE.search(text)
    return text.count("\n", 0, found.start() if found else 0) + 1, "has a control character"


class _Tree:
    """Turns PyYAML's nodes into ours: one use for one document."""

    def __init__(self, environ: Mapping[str, str], problems: Problems) -> None:
        self._environ = environ
        self._problems = problems
        self._above: list[yaml.Node] = []
        self._count = 0
        self._told: set[int] = set()

    def node(self, node: yaml.Node, path: str) -> Node:
        self._count += 1
        if self._count > MAX_NODES:
            raise _UnusableError(_line(node), f"has more than {MAX_NODES} values, with its aliases written out")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if any(node is above for above in self._above):
            return self._broken(node, path, "has an alias that leads back to itself")
        if len(self._above) >= MAX_DEPTH:
            return self._broken(node, path, f"is nested more than {MAX_DEPTH} levels deep")
        if node.tag not in {_LIST, _MAPPING}:
            return self._broken(node, path, "has a tag that means nothing here")
        with self._inside(node):
            return self._items(node, path) if isinstance(node, yaml.SequenceNode) else self._entries(node, path)

    @contextmanager
    def _inside(self, node: yaml.Node) -> Iterator[None]:
        self._above.append(node)
        yield
        self._above.pop()

    def _broken(self, node: yaml.Node, path: str, *messages: str) -> Broken:
        """Note problems with a node, once for all the aliases that lead to it."""
        if id(node) not in self._told:
            self._told.add(id(node))
            for message in messages:
                self._problems.add(_line(node), path, message)
        return Broken(_line(node))

    def _scalar(self, node: yaml.ScalarNode, path: str) -> Node:
        result = substitute(node.value, self._environ)
        if result.problems:
            return self._broken(node, path, *result.problems)
        value = result.text if node.tag == _TEXT else resolve(result.text)
        if node.tag not in {_TEXT, _PLAIN} and type(value) not in _types(node.tag):
            return self._broken(node, path, "has a tag that does not fit its value")
        return Scalar(_line(node), result.text, value, result.variables)

    def _items(self, node: yaml.SequenceNode, path: str) -> Items:
        items = (self.node(item, join(path, index)) for index, item in enumerate(node.value))
        return Items(_line(node), tuple(items))

    def _entries(self, node: yaml.Node, path: str) -> Entries:
        nodes: dict[str, Node] = {}
        lines: dict[str, int] = {}
        merged: list[Entries] = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._broken(key, path, "has a key that is a list or a mapping: keys are words")
                continue
            inner = join(path, key.value)
            if key.value in lines:
                self._broken(key, inner, f"is a duplicate key, first on line {lines[key.value]}")
                continue
            lines[key.value] = _line(key)
            if key.tag == _PLAIN and key.value == "<<":
                merged = self._merged(value, inner)
            else:
                nodes[key.value] = self.node(value, inner)
        for source in merged:  # what the mapping says itself comes first, then the first of what it merges
            nodes = {**source.nodes, **nodes}
            lines = {**source.key_lines, **lines}
        return Entries(_line(node), nodes, lines)

    def _merged(self, value: yaml.Node, path: str) -> list[Entries]:
        node = self.node(value, path)
        sources = node.nodes if isinstance(node, Items) else (node,)
        if not all(isinstance(source, Entries | Broken) for source in sources):
            self._broken(value, path, "must be a mapping, or a list of mappings, to merge")
        return [source for source in sources if isinstance(source, Entries)]


def _types(tag: str) -> tuple[type, ...]:
    return _TYPES.get(tag.removeprefix(_STANDARD), ())
