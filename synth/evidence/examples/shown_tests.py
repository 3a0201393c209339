"""Examples in tests that a text shows in a block of Python, for pytest, unittest or neither. Pure.

A test without branches and loops gives an example for each of its asserts, with the statements before it as setup. Any
other test is one example: that it can be called.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from textwrap import indent

from synth.evidence.examples.asserts import find_examples
from synth.evidence.examples.example import MAX_SETUP_CHARS, Example, complete, find_called, find_function, find_used
from synth.evidence.expressions import MAX_DEPTH, depth
from synth.evidence.plain_assertions import find_raised
from synth.evidence.plain_tests import (
    PlainTests,
    can_prepare,
    find_library_names,
    is_plain,
    is_test_class,
    list_rows,
    needs_more,
    write_plain,
    write_plain_tests,
)

_MAX_BLOCK_CHARS = 20_000
_PYTHON = frozenset({"", "python", "py", "python3", "pytest"})
_SIMPLE = ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr | ast.Import | ast.ImportFrom | ast.Delete


def find_test_blocks(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last line, exclusive, of each block of Python that may hold tests."""
    fences = [
        (position, stripped.lstrip("`~").strip().lower())
        for position, line in enumerate(lines)
        if (stripped := line.strip()).startswith(("```", "~~~"))
    ]
    is_open = False
    for (start, language), (end, _) in pairwise(fences):
        is_open = not is_open
        if is_open and language in _PYTHON and any("assert" in line or "raises" in line for line in lines[start:end]):
            yield start + 1, end


def read_tests(source: str) -> tuple[list[Example], set[int]]:
    """Return the examples in a block, and the numbers, from 0, of the lines that they were read from."""
    try:
        tree = ast.parse(source) if len(source) <= _MAX_BLOCK_CHARS else ast.Module([], [])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [], set()
    if any(depth(node) > MAX_DEPTH for node in tree.body):
        return [], set()
    if needs_more(tree):
        return [], set(range(source.count("\n") + 1))
    found: list[Example] = []
    read: set[int] = set()
    setup: list[ast.stmt] = []
    names = find_library_names(tree)
    for node in tree.body:
        examples = _read_statement(node, setup, names)
        if examples is not None:
            found += examples
            if setup and isinstance(node, ast.Assert):
                setup.append(ast.Expr(node.test))  # it may change an earlier object
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
            read |= set(range(first - 1, node.end_lineno or node.lineno))
        elif isinstance(node, _SIMPLE) and _is_needed(node):
            setup.append(node)
    block = _Block(tree)
    return [example for example in map(block.complete, found) if example is not None], read


class _Block:
    """The names that a block of Python gives to its tests: functions and classes of its own, and imported ones.

    A test may call a helper that stands beside it. The answer may bring the same one, for the block may be a whole
    module with its tests, so a helper is defined only if it is missing then. Names from elsewhere cannot be had, except
    those imported together with the function, which the answer defines as well: an example with any other is left out.
    """

    def __init__(self, tree: ast.Module) -> None:
        self._helpers = {
            node.name: node
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.lower().startswith("test")
        }
        self._modules = dict(_list_imported(tree))

    def complete(self, example: Example) -> Example | None:
        """Return an example with the helpers that it needs; or None if it needs what is not there."""
        if not (self._helpers or self._modules):
            return example
        helper = self._helpers.get(example.function)
        if helper is not None and _only_asserts(helper):
            example = replace(example, function=find_called(helper))
        used = find_used(example)
        own = self._modules.get(example.function, "")
        if own is None or any(self._modules[name] != own for name in used & self._modules.keys()):
            return None
        if not (used & self._helpers.keys()) - {example.function}:
            return example
        helpers = (node for name, node in self._helpers.items() if name != example.function)
        setup = "".join(map(_define_if_missing, helpers)) + example.setup
        return replace(example, setup=setup) if len(setup) <= MAX_SETUP_CHARS else None


def _list_imported(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    """Yield names imported from modules that are not the library's, each with its module, or None if it is renamed."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and not _is_needed(node) and _root(node) not in _OF_TESTS:
            for each in node.names:
                yield each.asname or each.name, None if each.asname else f"{'.' * node.level}{node.module or ''}"


def _root(node: ast.ImportFrom) -> str:
    return (node.module or "").partition(".")[0]


def _only_asserts(helper: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether a helper is a part of tests: it asserts, and returns nothing."""
    nodes = list(ast.walk(helper))
    returns = any(isinstance(node, ast.Return | ast.Yield) and node.value is not None for node in nodes)
    return not returns and any(isinstance(node, ast.Assert) for node in nodes)


def _define_if_missing(node: ast.FunctionDef | ast.ClassDef) -> str:
    return f"try:\n    {node.name}\nexcept NameError:\n{indent(ast.unparse(node), '    ')}\n"


def _read_statement(node: ast.stmt, setup: list[ast.stmt], names: frozenset[str]) -> list[Example] | None:
    """Return the examples in a statement of a module, or None if it has none and is no test."""
    if isinstance(node, ast.Assert):
        return _read_straight([*setup, node]) or []
    if isinstance(node, ast.With) or (isinstance(node, ast.Expr) and find_raised(node.value)):
        return _read_straight([*setup, node])
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
        return _read_function(node, setup) if is_plain(node, names) else []
    if isinstance(node, ast.ClassDef) and is_test_class(node):
        return _read_class(node, setup, names) if can_prepare(node, names) else []
    return None


def _read_class(case: ast.ClassDef, setup: Sequence[ast.stmt], names: frozenset[str]) -> list[Example]:
    """Read a class of tests: one by one if none uses the instance for more than its assertions, else as a whole."""
    methods = [each for each in case.body if isinstance(each, ast.FunctionDef) and each.name.startswith("test")]
    methods = [method for method in methods if is_plain(method, names, case)]
    straight = [_read_straight([*setup, *_without_self(method)]) for method in methods]
    uses_self = any("self" in map(_name_of, ast.walk(each)) for method in methods for each in _without_self(method))
    if uses_self or None in straight or any(list_rows(method, is_method=True) != [""] for method in methods):
        return list(_read_whole(ast.unparse(case), setup))
    return [example for examples in straight for example in examples or ()]


def _without_self(method: ast.FunctionDef) -> list[ast.stmt]:
    """Return the statements of a method with its assertions written out, but for expected exceptions."""
    found: list[ast.stmt] = []
    for statement in method.body:
        if isinstance(statement, ast.With) or (isinstance(statement, ast.Expr) and find_raised(statement.value)):
            found.append(_Unbound().visit(ast.parse(ast.unparse(statement)).body[0]))
        else:
            found += ast.parse(write_plain([statement])).body
    return found


class _Unbound(ast.NodeTransformer):
    """Turns `self.assertRaises` into `raises`."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if find_raised(node) is not None and ast.unparse(node.func).startswith("self."):
            node.func = ast.Name("raises", ast.Load())
        return node


def _name_of(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _read_function(function: ast.FunctionDef, setup: Sequence[ast.stmt]) -> list[Example]:
    rows = list_rows(function)
    if rows is None:
        return []
    found: list[Example] = []
    for row in rows:
        keywords = _list_keywords(row)
        if keywords is None:
            return []
        bound = [statement for part in keywords for statement in ast.parse(part).body]
        straight = _read_straight([*setup, *bound, *function.body])
        if straight is None:
            return list(_read_whole(ast.unparse(function), setup))
        found += straight
    return found


def _list_keywords(row: str) -> list[str] | None:
    """Return an assignment for each argument of a row; None if it is no row of single values."""
    try:
        call = ast.parse(f"f({row})", mode="eval").body
    except SyntaxError:
        return None
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return [f"{each.arg} = {ast.unparse(each.value)}" for each in keywords]


def _read_straight(statements: Sequence[ast.stmt]) -> list[Example] | None:
    """Return an example for each assert of statements without branches; None if there are branches."""
    found: list[Example] = []
    done: list[ast.stmt] = []
    for statement in statements:
        setup = "".join(f"{ast.unparse(each)}\n" for each in done)
        if isinstance(statement, ast.With) or (isinstance(statement, ast.Expr) and find_raised(statement.value)):
            raised = _read_raised(statement, setup)
            if raised is None:
                return None
            found += raised
        elif isinstance(statement, ast.Assert):
            found += find_examples(statement.test, setup)
            if done:
                done.append(ast.Expr(statement.test))  # as `assert s.pop() == 2` does
        elif isinstance(statement, _SIMPLE):
            if _keeps_state(statement):
                return None
            if _is_needed(statement) and len(setup) < MAX_SETUP_CHARS:
                done.append(statement)
        elif not isinstance(statement, ast.Pass):
            return None
    return found


def _keeps_state(statement: ast.stmt) -> bool:
    """Whether a statement is a call for its effect alone, `register("a")`: made for each assert anew, it adds up."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id=name)) as call):
            return find_called(call) == name
        case _:
            return False


def _is_needed(statement: ast.stmt) -> bool:
    """Whether a statement matters to those behind it: no docstring, and no import of what the answer defines."""
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.ImportFrom):
        return statement.level == 0 and _root(statement) in _KNOWN_MODULES
    if isinstance(statement, ast.Import):
        return all(each.name.partition(".")[0] in _KNOWN_MODULES for each in statement.names)
    return True


_OF_TESTS = frozenset({"pytest", "unittest", "__future__"})
_KNOWN_MODULES = sys.stdlib_module_names - _OF_TESTS


def _read_raised(statement: ast.stmt, setup: str) -> list[Example] | None:
    """Return the example in `with pytest.raises(E): f(x)` and in its form of one call; None if it is more than that."""
    match statement:
        case ast.With(items=[ast.withitem(context_expr=ast.Call() as call)], body=[ast.Expr(value=called)]):
            pass
        case ast.Expr(value=ast.Call(args=[_, function, *arguments], keywords=keywords) as call):
            called = ast.Call(function, arguments, keywords)
        case _:
            return None
    error = find_raised(call)
    name = ast.unparse(error).rpartition(".")[2] if error is not None else ""
    function_name = find_function(called, setup)
    if not name.isidentifier() or not function_name:
        return None
    example = complete(Example(function_name, ast.unparse(called), None, name, setup))
    return [] if example is None else [example]


def _read_whole(source: str, setup: Sequence[ast.stmt]) -> Iterator[Example]:
    """Yield an example for each test in the source of a function or a class: that it can be called."""
    plain: PlainTests | None = write_plain_tests(source)
    if plain is None:
        return
    defined = {node.name for node in ast.parse(plain.source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    body = f"{write_plain(list(setup))}\n{plain.source}\n".lstrip("\n")
    if len(body) > MAX_SETUP_CHARS:
        return
    tree = ast.parse(source)
    called = (find_called(node) for node in ast.walk(tree) if isinstance(node, ast.Call))
    function = next((name for name in called if name and name not in defined and name not in ("raises", "approx")), "")
    if function:
        yield from (Example(function, call, None, "", body) for call in plain.calls)
