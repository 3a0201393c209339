"""Parses YAML to a tree with line numbers, and substitutes `${VAR}` in its scalars.

Substitution comes after parsing and applies to values only, so no environment value can add structure.
No message shows text of the file: any part of it may be a key.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from config.source.problems import Problems
from config.source.scalars import ScalarValue, resolve
from config.source.substitution import substitute
from config.source.syntax import explain

if TYPE_CHECKING:
    from yaml import SafeLoader as _BaseLoader
else:  # libyaml's parser is ten times as fast, but PyYAML may be built without it
    _BaseLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_DEPTH = 50
MAX_NODES = 50_000

_PLAIN = "plain"  # the tag that our loader gives a scalar without quotes and without an explicit tag
_STANDARD = "tag:yaml.org,2002:"
_TEXT, _LIST, _MAPPING = _STANDARD + "str", _STANDARD + "seq", _STANDARD + "map"
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
}
_SAFE_KEY = re.compile(r"<<|[A-Za-z0-9_*][A-Za-z0-9_.*/-]{0,31}")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: its `text` after substitution, and its `value` with the YAML type.

    `variables` were substituted into it; if there are any, no message may show the value.
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
    """A YAML mapping. Keys are always text, as in JSON: `50256: -100` has the key "50256"."""

    line: int
    nodes: Mapping[str, "Node"]
    key_lines: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Broken:
    """A placeholder for a node whose problem has been reported."""

    line: int


Node = Scalar | Items | Entries | Broken


def parse(text: str, environ: Mapping[str, str], problems: Problems) -> Node:
    """Return the tree of one YAML document; a node with a problem is reported to `problems` and becomes `Broken`.

    Anchors, aliases and merge keys work. The tree is bounded in depth and, with aliases expanded, in size.
    """
    try:
        return _Tree(environ, problems).convert(_compose(text), "")
    except _UnusableError as error:
        problems.add(error.line, "", error.message)
        return Broken(error.line)
    except yaml.YAMLError as error:
        line, message = explain(error, text)
        problems.add(line, "", f"is not YAML: {message}")
        return Broken(line)


def join(path: str, key: str | int) -> str:
    """Return the path of an entry: `models`, `models[0]`, `models[0].name`. An unusual key is not shown."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    shown = key if may_show_key(key) else "(a key that is not shown)"
    return f"{path}.{shown}" if path else shown


def may_show_key(key: str) -> bool:
    """Whether a key is short and plain: `{api_key:sk-…}` without a space makes a mapping key of an API key."""
    return _SAFE_KEY.fullmatch(key) is not None


class _UnusableError(Exception):
    """The whole document cannot be used."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class _Loader(_BaseLoader):
    """Marks plain scalars instead of resolving their type, because substitution comes first."""

    def resolve(self, kind: type[yaml.Node], _value: str | None, implicit: tuple[bool, bool]) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _TEXT
        return _LIST if kind is yaml.SequenceNode else _MAPPING


def _compose(text: str) -> yaml.Node:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):  # libyaml's composer recurses without a limit and would crash
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _UnusableError(_line_of(event), f"is nested more than {MAX_DEPTH} levels deep")
    root: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    if root is None:
        raise _UnusableError(1, 'is empty: write at least `models: [{name: openrouter, api_key: "…"}]`')
    return root


def _line_of(marked: yaml.Node | yaml.Event) -> int:
    line: int = marked.start_mark.line  # type: ignore[union-attr]  # the parser always sets the marks
    return line + 1


class _Tree:
    """Converts the PyYAML nodes of one document to ours."""

    def __init__(self, environ: Mapping[str, str], problems: Problems) -> None:
        self._environ = environ
        self._problems = problems
        self._above: list[yaml.Node] = []
        self._count = 0
        self._reported: set[int] = set()

    def convert(self, node: yaml.Node, path: str) -> Node:
        self._count += 1
        if self._count > MAX_NODES:
            raise _UnusableError(_line_of(node), f"has more than {MAX_NODES} values, with its aliases expanded")
        if isinstance(node, yaml.ScalarNode):
            return self._convert_scalar(node, path)
        if any(node is above for above in self._above):
            return self._report(node, path, "has an alias that contains itself")
        if len(self._above) >= MAX_DEPTH:
            return self._report(node, path, f"is nested more than {MAX_DEPTH} levels deep")
        if node.tag not in {_LIST, _MAPPING}:
            return self._report(node, path, "has an unknown tag")
        with self._enter(node):
            return (
                self._convert_items(node, path)
                if isinstance(node, yaml.SequenceNode)
                else self._convert_entries(node, path)
            )

    @contextmanager
    def _enter(self, node: yaml.Node) -> Iterator[None]:
        self._above.append(node)
        yield
        self._above.pop()

    def _report(self, node: yaml.Node, path: str, *messages: str) -> Broken:
        """Report problems of a node, once for all aliases that refer to it."""
        if id(node) not in self._reported:
            self._reported.add(id(node))
            for message in messages:
                self._problems.add(_line_of(node), path, message)
        return Broken(_line_of(node))

    def _convert_scalar(self, node: yaml.ScalarNode, path: str) -> Node:
        result = substitute(node.value, self._environ)
        if result.problems:
            return self._report(node, path, *result.problems)
        value = result.text if node.tag == _TEXT else resolve(result.text)
        if node.tag not in {_TEXT, _PLAIN} and type(value) not in _types_of(node.tag):
            return self._report(node, path, "has a tag that does not fit its value")
        return Scalar(_line_of(node), result.text, value, result.variables)

    def _convert_items(self, node: yaml.SequenceNode, path: str) -> Items:
        items = (self.convert(item, join(path, index)) for index, item in enumerate(node.value))
        return Items(_line_of(node), tuple(items))

    def _convert_entries(self, node: yaml.Node, path: str) -> Entries:
        nodes: dict[str, Node] = {}
        lines: dict[str, int] = {}
        merged: list[Entries] = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._report(key, path, "has a list or a mapping as a key: keys must be text")
                continue
            inner = join(path, key.value)
            if key.value in lines:
                self._report(key, inner, f"is a duplicate key, first on line {lines[key.value]}")
                continue
            lines[key.value] = _line_of(key)
            if key.tag == _PLAIN and key.value == "<<":
                merged = self._merge_sources(value, inner)
            else:
                nodes[key.value] = self.convert(value, inner)
        for source in merged:  # the mapping's own keys win, then those of the first merged mapping
            nodes = {**source.nodes, **nodes}
            lines = {**source.key_lines, **lines}
        return Entries(_line_of(node), nodes, lines)

    def _merge_sources(self, value: yaml.Node, path: str) -> list[Entries]:
        node = self.convert(value, path)
        sources = node.nodes if isinstance(node, Items) else (node,)
        if not all(isinstance(source, Entries | Broken) for source in sources):
            self._report(value, path, "must be a mapping, or a list of mappings, to merge")
        return [source for source in sources if isinstance(source, Entries)]


def _types_of(tag: str) -> tuple[type, ...]:
    return _TYPES.get(tag.removeprefix(_STANDARD), ())
