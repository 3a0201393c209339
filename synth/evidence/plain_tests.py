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

MAX_CALLS = 64

_LIBRARIES = frozenset({"pytest", "unittest"})
_ASSERTIONS = {
    "assertEqual": "({0}) == ({1})",
    "assertEquals": "({0}) == ({1})",
    "assertListEqual": "({0}) == ({1})",
    "assertTupleEqual": "({0}) == ({1})",
    "assertDictEqual": "({0}) == ({1})",
    "assertSetEqual": "({0}) == ({1})",
    "assertSequenceEqual": "list({0}) == list({1})",
    "assertMultiLineEqual": "({0}) == ({1})",
    "assertCountEqual": "sorted({0}, key=repr) == sorted({1}, key=repr)",
    "assertNotEqual": "({0}) != ({1})",
    "assertTrue": "({0})",
    "assertFalse": "not ({0})",
    "assertIs": "({0}) is ({1})",
    "assertIsNot": "({0}) is not ({1})",
    "assertIsNone": "({0}) is None",
    "assertIsNotNone": "({0}) is not None",
    "assertIn": "({0}) in ({1})",
    "assertNotIn": "({0}) not in ({1})",
    "assertGreater": "({0}) > ({1})",
    "assertGreaterEqual": "({0}) >= ({1})",
    "assertLess": "({0}) < ({1})",
    "assertLessEqual": "({0}) <= ({1})",
    "assertIsInstance": "isinstance({0}, {1})",
    "assertNotIsInstance": "not isinstance({0}, {1})",
    "assertAlmostEqual": "({0}) == ({1}) or round(abs(({0}) - ({1})), {places}) == 0",
    "assertNotAlmostEqual": "round(abs(({0}) - ({1})), {places}) != 0",
}
_RAISES = ("raises", "assertRaises", "assertRaisesRegex")
_NEAR = """\
def near_(value, expected, rel=None, least=1e-12):
    if isinstance(expected, (list, tuple)):
        return len(value) == len(expected) and all([near_(a, b, rel, least) for a, b in zip(value, expected)])
    if isinstance(expected, dict):
        return len(value) == len(expected) and all([near_(value[key], expected[key], rel, least) for key in expected])
    return value == expected or abs(value - expected) <= max((1e-6 if rel is None else rel) * abs(expected), least)
"""
_RAISED = """\
class Raised_:
    def __init__(self, error):
        self.value = self.exception = error
        self.type = type(error)
"""


@frozen
class PlainTests:
    """Tests as plain Python: the module's source, and a call for each test with its arguments."""

    source: str
    calls: tuple[str, ...]


def write_plain_tests(source: str) -> PlainTests | None:
    """Return a module's tests as plain Python; None if it cannot be parsed, or is too deep."""
    try:
        tree = ast.parse(source)
        calls = list(_list_calls(tree))[:MAX_CALLS]
        wrappers = [_wrap(case, call) for case, call in calls if case is not None]
        plain = write_plain(tree.body)
        names = [f"{case.name}_{call}" if case is not None else call for case, call in calls]
        return PlainTests("\n\n".join([plain, *wrappers]), tuple(names))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def write_plain(statements: Sequence[ast.stmt]) -> str:
    """Return the source of statements without the libraries of tests, below the helpers that it needs."""
    plain = _Plain()
    kept = [each for statement in statements for each in plain.rewrite(statement)]
    source = "\n".join(map(ast.unparse, map(ast.fix_missing_locations, kept)))
    return "".join(helper for helper, name in ((_NEAR, "near_("), (_RAISED, "Raised_(")) if name in source) + source


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
        if "parametrize" in words:
            more = _read_parametrize(decorator)
            if more is None:
                return None
            rows = [one | other for one, other in product(rows, more)][:MAX_CALLS]
        elif any(word in words for word in ("skip", "xfail", "expectedFailure", "patch")):
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
        if len(items) != len(names):
            return None
        rows.append(dict(zip(names, map(ast.unparse, items), strict=True)))
    return rows


def _items_of(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple | ast.List) else []


def _list_calls(tree: ast.Module) -> Iterator[tuple[ast.ClassDef | None, str]]:
    """Yield each test's class, None for a function, and its call."""
    fixtures = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.args.args and _is_simple_fixture(node)
    ]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test") and _is_plain(node):
            yield from ((None, f"{node.name}({row})") for row in list_rows(node, fixtures) or ())
        elif isinstance(node, ast.ClassDef) and is_test_class(node):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name.startswith("test") and _is_plain(method):
                    rows = list_rows(method, fixtures, is_method=True) or ()
                    yield from ((node, f"{method.name}({row})") for row in rows)


def _is_simple_fixture(function: ast.FunctionDef) -> bool:
    is_fixture = any("fixture" in ast.unparse(each) for each in function.decorator_list)
    return is_fixture and not any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function))


def _is_plain(function: ast.FunctionDef) -> bool:
    """Whether a test is plain Python once it is rewritten: nothing of the libraries is left in it."""
    (plain,) = _Plain().rewrite(function)
    return not any(
        (isinstance(node, ast.Name) and node.id in _LIBRARIES)
        or (isinstance(node, ast.Attribute) and (node.attr.startswith("assert") or node.attr in ("skipTest", "patch")))
        for node in ast.walk(plain)
    )


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


class _Plain(ast.NodeTransformer):
    """Replaces the libraries' constructs by plain statements."""

    def rewrite(self, statement: ast.stmt) -> list[ast.stmt]:
        """Return the statements that replace a statement, as copies: none, one or several."""
        (copy,) = ast.parse(ast.unparse(statement)).body
        done = self.visit(copy)
        return [] if done is None else done if isinstance(done, list) else [done]

    def visit_Import(self, node: ast.Import) -> ast.stmt | None:
        node.names = [each for each in node.names if each.name.partition(".")[0] not in _LIBRARIES]
        return node if node.names else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | None:
        return None if node.module in _LIBRARIES else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        node.decorator_list = [each for each in node.decorator_list if "pytest" not in ast.unparse(each)]
        return self._visit_body(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        node.bases = [base for base in node.bases if not ast.unparse(base).endswith("TestCase")]
        return self._visit_body(node)

    def _visit_body(self, node: ast.FunctionDef | ast.ClassDef) -> ast.stmt:
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
        return _expect(call, node.body, name)

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        self.generic_visit(node)
        call = node.value
        if not isinstance(call, ast.Call):
            return node
        if find_raised(call) is not None and len(call.args) > 1:
            called = ast.Expr(ast.Call(call.args[1], call.args[2:], call.keywords))
            return _expect(ast.Call(call.func, call.args[:1], []), [called], None)
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "self":
            return _write_assertion(call, call.func.attr) or node
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
            for value, other in ((node.left, node.comparators[0]), (node.comparators[0], node.left)):
                if isinstance(other, ast.Call) and ast.unparse(other.func) in ("approx", "pytest.approx"):
                    keywords = [
                        ast.keyword("least" if each.arg == "abs" else each.arg, each.value) for each in other.keywords
                    ]
                    if any(each.arg == "abs" for each in other.keywords) and len(other.keywords) == 1:
                        keywords.append(ast.keyword("rel", ast.Constant(0)))
                    return ast.Call(ast.Name("near_", ast.Load()), [value, *other.args], keywords)
        return node


def find_raised(call: ast.expr) -> ast.expr | None:
    """Return the exception that `pytest.raises(E, …)` or `self.assertRaises(E, …)` expects, None for other calls."""
    if not isinstance(call, ast.Call) or not call.args:
        return None
    function = call.func
    name = (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )
    return call.args[0] if name in _RAISES else None


def _expect(call: ast.Call, body: list[ast.stmt], name: ast.Name | None) -> ast.stmt:
    """Return the statement that runs a body, and fails unless it raises the exception."""
    words = [keyword.value for keyword in call.keywords if keyword.arg == "match"]
    if ast.unparse(call.func).endswith("assertRaisesRegex"):
        words = call.args[1:2]
    handled: list[ast.stmt] = []
    if words:
        handled += ast.parse(f"import re\nassert re.search({ast.unparse(words[0])}, str(caught_))").body
    if name is not None:
        handled += ast.parse(f"{name.id} = Raised_(caught_)").body
    failed = ast.parse(f"raise AssertionError({f'no {ast.unparse(call.args[0])}'!r})").body
    handler = ast.ExceptHandler(call.args[0], "caught_", handled or [ast.Pass()])
    return ast.Try(body, [handler], failed, [])


def _write_assertion(call: ast.Call, name: str) -> ast.stmt | None:
    if name == "fail":
        return ast.parse("raise AssertionError('fail')").body[0]
    template = _ASSERTIONS.get(name)
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg}
    if template is None or not set(keywords) <= {"places", "delta", "msg"}:
        return None
    if "delta" in keywords and name == "assertAlmostEqual":
        template = f"abs(({{0}}) - ({{1}})) <= ({keywords['delta']})"
    try:
        condition = template.format(*map(ast.unparse, call.args), places=keywords.get("places", "7"))
    except IndexError:
        return None
    return ast.parse(f"assert {condition}").body[0]
