"""Rewrite tests for pytest or unittest as plain Python that needs neither. Pure.

A sandbox has no third-party modules, and Monty has neither unittest nor class inheritance: as they stand, most tests
would be unknown. What these libraries do in a test is mostly simple, and written out here: `pytest.raises` as `try`,
`self.assertEqual(a, b)` as `assert a == b`, parametrized tests as one call for each row. A test that uses more than
that (a fixture of pytest's own, a mock) is left out.
"""

import ast
from collections.abc import Iterator, Sequence
from itertools import product

from runtime.frozen import frozen
from synth.evidence.expressions import parse_expression
from synth.evidence.plain_assertions import define_helpers, expect, find_raised, write_assertion, write_near

MAX_CALLS = 64

_LIBRARIES = frozenset({"pytest", "unittest"})
_KNOWN_NAMES = _LIBRARIES | {"approx"}
_LEFT_OUT = ("skip", "xfail", "expectedFailure", "patch", "usefixtures", "indirect")
_MODULE_PREPARATION = frozenset({
    *("setUpModule", "tearDownModule", "setup_module", "teardown_module", "setup_function", "teardown_function"),
    "load_tests",
})  # fmt: skip
_CLASS_PREPARATION = frozenset({
    *("setUpClass", "tearDownClass", "setup_class", "teardown_class", "asyncSetUp", "asyncTearDown"),
    *("tearDown", "teardown_method", "setup", "teardown", "__init__", "__new__"),
})  # fmt: skip


@frozen
class PlainTests:
    """Tests as plain Python: the module's source, and a call for each test with its arguments."""

    source: str
    calls: tuple[str, ...]


def write_plain_tests(source: str) -> PlainTests | None:
    """Return a module's tests as plain Python.

    None if it cannot be parsed, is too deep, or needs more of a library than is written out here.
    """
    try:
        tree = ast.parse(source)
        names = find_library_names(tree)
        plain = write_plain(tree.body, names)
        if needs_more(tree) or _is_library_left(plain, names):
            return None
        calls = list(_list_calls(tree, names))[:MAX_CALLS]
        wrappers = [_wrap(case, call) for case, call in calls if case is not None]
        called = [f"{case.name}_{call}" if case is not None else call for case, call in calls]
        return PlainTests("\n\n".join([plain, *wrappers]), tuple(called))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def write_plain(statements: Sequence[ast.stmt], names: frozenset[str] = _KNOWN_NAMES) -> str:
    """Return the source of statements without the libraries of tests, below the helpers that it needs.

    `names` are those that the libraries' modules and functions have here.
    """
    plain = _Plain(names)
    kept = [each for statement in statements if not _is_main(statement) for each in plain.rewrite(statement)]
    source = "\n".join(map(ast.unparse, map(ast.fix_missing_locations, kept)))
    return define_helpers(source) + source


def find_library_names(tree: ast.Module) -> frozenset[str]:
    """Return the names that a module gives to the libraries of tests, and to what it imports from them."""
    found = set(_KNOWN_NAMES)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.asname or _root(each.name) for each in node.names if _root(each.name) in _LIBRARIES}
        elif isinstance(node, ast.ImportFrom) and node.module in _LIBRARIES:
            found |= {each.asname or each.name for each in node.names}
    return frozenset(found)


def needs_more(tree: ast.Module) -> bool:
    """Whether the tests of a module are prepared in a way that is not written out here."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name in _MODULE_PREPARATION or any("autouse" in ast.unparse(each) for each in node.decorator_list):
                return True
        elif isinstance(node, ast.Assign | ast.AnnAssign) and _is_mark(node) and _is_left_out(node):
            return True
    return False


def can_prepare(case: ast.ClassDef, names: frozenset[str] = _KNOWN_NAMES) -> bool:
    """Whether the instances of a class of tests can be prepared: nothing is inherited, or done for the class."""
    functions = [node for node in case.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    prepare = [node for node in functions if node.name in ("setUp", "setup_method")]
    is_unittest = bool(case.bases)
    return (
        all(_is_known_base(base, names) for base in case.bases)
        and not case.keywords
        and not any(map(_is_left_out, case.decorator_list))
        and not any(isinstance(node, ast.Assign | ast.AnnAssign) and _is_left_out(node) for node in case.body)
        and not any(node.name in _CLASS_PREPARATION or _is_fixture(node) for node in functions)
        and not any(isinstance(node, ast.Name) and node.id == "super" for node in ast.walk(case))
        and len(prepare) <= 1
        and all((each.name == "setUp") == is_unittest and _is_simple_method(each) for each in prepare)
        and all(is_plain(each, names, case) for each in functions if not each.name.startswith("test"))
    )


def _is_known_base(base: ast.expr, names: frozenset[str]) -> bool:
    text = ast.unparse(base)
    return text in ("unittest.TestCase", "TestCase") or (_root(text) in names and text.endswith(".TestCase"))


def _is_simple_method(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = node.args
    more = arguments.vararg or arguments.kwonlyargs or arguments.kwarg or node.decorator_list
    return isinstance(node, ast.FunctionDef) and len(arguments.args) == 1 and not more


def _is_left_out(node: ast.AST) -> bool:
    """Whether a decorator or a mark does more than to name a test."""
    words = ast.unparse(node)
    return ("mark" in words or isinstance(node, ast.expr)) and any(word in words for word in _LEFT_OUT)


def _is_mark(node: ast.stmt) -> bool:
    target = (
        node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
    )
    return isinstance(target, ast.Name) and target.id == "pytestmark"


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _is_library_left(plain: str, names: frozenset[str]) -> bool:
    """Whether plain source uses a library outside of its tests, which would not load."""
    waiting: list[ast.AST] = [ast.parse(plain)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and node.id in names:
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            waiting += [*node.decorator_list, *node.args.defaults]
        else:
            waiting += ast.iter_child_nodes(node)
    return False


def _root(name: str) -> str:
    return name.partition(".")[0]


def is_test_class(node: ast.stmt) -> bool:
    """Whether a statement defines a class of tests, for pytest or unittest."""
    if not isinstance(node, ast.ClassDef):
        return False
    return node.name.startswith("Test") or any(ast.unparse(base).endswith("TestCase") for base in node.bases)


def list_rows(function: ast.FunctionDef, fixtures: Sequence[str] = (), *, is_method: bool = False) -> list[str] | None:
    """Return the arguments of each call of a test, as source; None if it cannot be called, or should not be.

    `fixtures` are functions without parameters that the module defines: an argument of such a name is what it returns.
    """
    rows: list[dict[str, str]] = [{}]
    for decorator in function.decorator_list:
        words = ast.unparse(decorator)
        if _is_left_out(decorator) and ("parametrize" not in words or "indirect" in words):
            return None
        if "parametrize" in words:
            more = _read_parametrize(decorator)
            if more is None:
                return None
            rows = [one | other for one, other in product(rows, more)][:MAX_CALLS]
        elif words in ("staticmethod", "classmethod"):
            return None
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)][is_method:]
    if function.args.vararg or function.args.kwonlyargs or function.args.kwarg:
        return None
    optional = len(names) - len(function.args.defaults)
    calls: list[str] = []
    for row in rows:
        given = {name: row.get(name, f"{name}()" if name in fixtures else "") for name in names}
        if any(not value for name, value in given.items() if names.index(name) < optional):
            return None
        calls.append(", ".join(f"{name}={value}" for name, value in given.items() if value))
    return calls


def _read_parametrize(decorator: ast.expr) -> list[dict[str, str]] | None:
    """Return the rows of `parametrize("a, b", [(1, 2)])`, each by the names of its parameters."""
    match decorator:
        case ast.Call(args=[ast.Constant(value=str(text)), ast.List() | ast.Tuple() as values, *_]):
            names = [name.strip() for name in text.split(",") if name.strip()]
        case ast.Call(args=[ast.List() | ast.Tuple() as titles, ast.List() | ast.Tuple() as values, *_]):
            names = [str(each.value) for each in titles.elts if isinstance(each, ast.Constant)]
        case _:
            return None
    rows: list[dict[str, str]] = []
    for each in values.elts:
        items = [each] if len(names) == 1 else _items_of(each)
        if isinstance(each, ast.Call) and ast.unparse(each.func).endswith("param"):
            if any(keyword.arg == "marks" for keyword in each.keywords):
                continue
            items = each.args
        if len(items) != len(names) or any(isinstance(item, ast.Starred) for item in items):
            return None
        rows.append(dict(zip(names, map(ast.unparse, items), strict=True)))
    return rows


def _items_of(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple | ast.List) else []


def _list_calls(tree: ast.Module, names: frozenset[str]) -> Iterator[tuple[ast.ClassDef | None, str]]:
    """Yield each test's class, None for a function, and its call."""
    fixtures = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.args.args and _is_simple_fixture(node)
    ]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test") and is_plain(node, names):
            yield from ((None, f"{node.name}({row})") for row in list_rows(node, fixtures) or ())
        elif isinstance(node, ast.ClassDef) and is_test_class(node) and can_prepare(node, names):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name.startswith("test"):
                    rows = list_rows(method, fixtures, is_method=True) if is_plain(method, names, node) else None
                    yield from ((node, f"{method.name}({row})") for row in rows or ())


def _is_fixture(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("fixture" in ast.unparse(each) for each in function.decorator_list)


def _is_simple_fixture(function: ast.FunctionDef) -> bool:
    """Whether a function is a fixture that is made anew for each test, and only returns a value."""
    is_fixture = [ast.unparse(each).removesuffix("()").endswith("fixture") for each in function.decorator_list] == [
        True
    ]
    return is_fixture and not any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function))


def is_plain(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    names: frozenset[str] = _KNOWN_NAMES,
    case: ast.ClassDef | None = None,
) -> bool:
    """Whether a function is plain Python once it is rewritten: nothing of the libraries is left in it."""
    (plain,) = _Plain(names).rewrite(function)
    nodes = list(ast.walk(plain))
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    if any(node.attr.startswith("assert") or node.attr in ("skipTest", "patch") for node in attributes):
        return False
    raised = {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign) and ast.unparse(node.value) == "Raised_(caught_)"
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    known = {id(node.value) for node in attributes if node.attr in ("value", "exception", "type")}
    used = [node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    if any(node.id in names or (node.id in raised and id(node) not in known) for node in used):
        return False
    own = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "self"}
    return case is None or own <= _list_attributes(case)


def _list_attributes(case: ast.ClassDef) -> set[str]:
    """Return the attributes that a class defines, or sets on its instances."""
    found = {node.name for node in case.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    for statement in case.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            found |= {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    for node in ast.walk(case):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            found.add(node.attr)
    return found


def _wrap(case: ast.ClassDef, call: str) -> str:
    """Return a function that makes an instance of a class of tests, prepares it, and calls one of its tests."""
    name, _, rest = call.partition("(")
    methods = {node.name for node in case.body if isinstance(node, ast.FunctionDef)}
    prepare = next((each for each in ("setUp", "setup_method") if each in methods), "")
    arguments = rest.removesuffix(")")
    parameters = [part.partition("=")[0] for part in _split_arguments(arguments)]
    lines = [f"def {case.name}_{name}({', '.join(parameters)}):", f"    case = {case.name}()"]
    lines += [f"    case.{prepare}()"] if prepare else []
    passed = ", ".join(f"{each}={each}" for each in parameters)
    return "\n".join([*lines, f"    case.{name}({passed})"])


def _split_arguments(arguments: str) -> list[str]:
    call = parse_expression(f"f({arguments})")
    return [ast.unparse(each) for each in call.keywords] if isinstance(call, ast.Call) else []


def _names_in(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


class _Plain(ast.NodeTransformer):
    """Replaces the libraries' constructs by plain statements."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def rewrite(self, statement: ast.stmt) -> list[ast.stmt]:
        """Return the statements that replace a statement, as copies: none, one or several."""
        (copy,) = ast.parse(ast.unparse(statement)).body
        done = self.visit(copy)
        return [] if done is None else done if isinstance(done, list) else [done]

    def visit_Import(self, node: ast.Import) -> ast.stmt | None:
        node.names = [each for each in node.names if each.name.partition(".")[0] not in _LIBRARIES]
        return node if node.names else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | None:
        return None if node.module in _LIBRARIES or node.module == "__future__" else node

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | None:
        self.generic_visit(node)
        return None if _is_mark(node) else node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        self.generic_visit(node)
        return None if _is_mark(node) else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        return self._visit_body(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.stmt:
        return self._visit_body(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        node.bases = [base for base in node.bases if not ast.unparse(base).endswith("TestCase")]
        return self._visit_body(node)

    def _visit_body(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.stmt:
        known = self._names | {"fixture", "mark"}
        node.decorator_list = [each for each in node.decorator_list if known.isdisjoint(_names_in(each))]
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_With(self, node: ast.With) -> ast.stmt | list[ast.stmt]:
        self.generic_visit(node)
        call = node.items[0].context_expr
        if len(node.items) != 1 or not isinstance(call, ast.Call):
            return node
        if ast.unparse(call.func) == "self.subTest":
            return node.body
        name = node.items[0].optional_vars
        if find_raised(call) is None or not (name is None or isinstance(name, ast.Name)):
            return node
        return expect(call, node.body, name)

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        self.generic_visit(node)
        call = node.value
        if not isinstance(call, ast.Call):
            return node
        if find_raised(call) is not None and len(call.args) > 1:
            called = ast.Expr(ast.Call(call.args[1], call.args[2:], call.keywords))
            return expect(ast.Call(call.func, call.args[:1], []), [called], None)
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "self":
            return write_assertion(call, call.func.attr) or node
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
            for value, other in ((node.left, node.comparators[0]), (node.comparators[0], node.left)):
                if (near := write_near(value, other)) is not None:
                    return near
        return node
