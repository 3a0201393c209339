"""An example of a call and its result, and the names in it. Pure."""

import ast
import builtins
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from runtime.frozen import frozen
from synth.evidence.expressions import parse_expression

MAX_SETUP_CHARS = 4000
"""How many characters of statements may precede an example."""

_BUILT_IN = frozenset(dir(builtins))
_MODULES = frozenset(
    {"asyncio", "collections", "datetime", "decimal", "fractions", "itertools", "json", "math", "re", "string"}
)


@frozen
class Example:
    """The result of a call, as source: a value, an exception's type in `raises`, or with neither no exception.

    `setup` are statements to run before it. `function` is the name of the function or class that it is about.
    """

    function: str
    call: str
    expected: str | None
    raises: str = ""
    setup: str = ""

    @property
    def shown(self) -> str:
        """The example for people: with a setup of plain statements, if the call alone does not name the function."""
        if not self.raises and self.expected is None:
            return self.call
        is_clear = f"{self.function}(" in self.call or "\n " in self.setup
        call = self.call if is_clear else "; ".join([*self.setup.splitlines(), self.call])
        return f"{call} raises {self.raises}" if self.raises else f"{call} == {self.expected}"


def find_called(node: ast.AST) -> str:
    """Return the name of the first function, not built in, that is called by name in a tree; "" if there is none."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id not in _BUILT_IN:
            return part.func.id
    return ""


def find_function(node: ast.expr, setup: str) -> str:
    """Return the function that an expression is about: the one that it calls, or that its setup calls; "" if none.

    A name that the setup gives to a function (`candidate = f`) stands for the function.
    """
    called = find_called(node)
    if not setup:
        return called
    if not called and any(isinstance(part, ast.Name) for part in ast.walk(node)):
        called = _called_in(setup)
    return _find_original(_parse(setup), called)


def find_used(example: Example) -> frozenset[str]:
    """Return the names that an example and its setup use and do not bind themselves."""
    parts = map(parse_expression, [example.call, example.expected or "None"])
    names = _find_names([part for part in parts if part is not None]) | _names_of(example.setup)
    return names.used - names.bound


def await_calls(node: ast.expr) -> ast.expr:
    """Return an expression with `asyncio.run(f(1))` for `await f(1)`, which is no expression by itself."""
    return _Awaited().visit(node) if any(isinstance(part, ast.Await) for part in ast.walk(node)) else node


class _Awaited(ast.NodeTransformer):
    """Runs what is awaited to its end."""

    def visit_Await(self, node: ast.Await) -> ast.expr:
        self.generic_visit(node)
        return ast.Call(ast.Attribute(ast.Name("asyncio", ast.Load()), "run", ast.Load()), [node.value], [])


def complete(example: Example) -> Example | None:
    """Return an example with the imports that it needs; or None if it uses an undefined variable.

    Without this, every candidate would fail for a name that the text leaves out: "assert f(x) == y for all x".
    """
    parts = map(parse_expression, [example.call, example.expected or "None"])
    names = _find_names([part for part in parts if part is not None])
    if example.setup:
        of_setup = _names_of(example.setup)
        if names.used.isdisjoint(of_setup.bound):
            example = replace(example, setup="")
        else:
            names = names | of_setup
    missing = names.used - names.called - names.bound - _BUILT_IN
    modules = sorted(missing & _MODULES)
    if any(name not in _MODULES and name != example.function and not name[0].isupper() for name in missing):
        return None
    imports = "".join(f"import {name}\n" for name in modules)
    return replace(example, setup=imports + example.setup) if imports else example


@frozen
class _Names:
    """The names that trees use, those among them that are only called, and those that they bind."""

    used: frozenset[str]
    called: frozenset[str]
    bound: frozenset[str]

    def __or__(self, other: "_Names") -> "_Names":
        return _Names(self.used | other.used, self.called | other.called, self.bound | other.bound)


def _find_names(trees: Sequence[ast.AST]) -> _Names:
    nodes = [node for tree in trees for node in ast.walk(tree)]
    called = [node.func for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return _Names(
        frozenset(node.id for node in nodes if isinstance(node, ast.Name)),
        frozenset(node.id for node in called),
        frozenset(name for node in nodes for name in _list_bound(node)),
    )


# The setup of a session is the same for many of its examples.


@lru_cache(maxsize=8)
def _names_of(setup: str) -> _Names:
    return _find_names([_parse(setup)])


@lru_cache(maxsize=8)
def _called_in(setup: str) -> str:
    """Return the first function that statements call and do not import, "" if there is none."""
    tree = _parse(setup)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    imported = {name for node in imports for name in _list_bound(node)}
    return next((name for name in map(find_called, tree.body) if name and name not in imported), "")


@lru_cache(maxsize=8)
def _parse(source: str) -> ast.Module:
    """Return the tree of statements, an empty one if there is none."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def _find_original(tree: ast.Module, name: str) -> str:
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.Name(id=original)) if target == name:
                return original
    return name


def _list_bound(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from ((each.asname or each.name).partition(".")[0] for each in names)
