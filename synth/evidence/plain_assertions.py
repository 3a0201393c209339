"""The assertions of pytest and unittest as plain Python: approximate values, expected exceptions, methods. Pure."""

import ast

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


def define_helpers(source: str) -> str:
    """Return the definitions that rewritten source needs."""
    return "".join(helper for helper, name in ((_NEAR, "near_("), (_RAISED, "Raised_(")) if name in source)


def write_near(value: ast.expr, other: ast.expr) -> ast.expr | None:
    """Return the comparison of a value with `approx(…)`, or None if the other side is none that can be written out."""
    if not isinstance(other, ast.Call) or ast.unparse(other.func) not in ("approx", "pytest.approx"):
        return None
    given = {each.arg: each.value for each in other.keywords}
    if not set(given) <= {"rel", "abs"}:
        return None
    if set(given) == {"abs"}:  # then only the absolute tolerance counts
        given["rel"] = ast.Constant(0)
    keywords = [ast.keyword("least" if name == "abs" else name, node) for name, node in given.items()]
    return ast.Call(ast.Name("near_", ast.Load()), [value, *other.args], keywords)


def find_raised(call: ast.expr) -> ast.expr | None:
    """Return the exception that `pytest.raises(E, …)` or `self.assertRaises(E, …)` expects, None for other calls."""
    if not isinstance(call, ast.Call) or not call.args:
        return None
    function = call.func
    name = (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )
    return call.args[0] if name in _RAISES else None


def expect(call: ast.Call, body: list[ast.stmt], name: ast.Name | None) -> ast.stmt:
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


def write_assertion(call: ast.Call, name: str) -> ast.stmt | None:
    """Return the statement for `self.assertEqual(a, b)` and the like, or None if it is not written out here."""
    if name == "fail":
        return ast.parse("raise AssertionError('fail')").body[0]
    template = _ASSERTIONS.get(name)
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if template is None or not set(keywords) <= {"places", "delta", "msg"}:
        return None
    if any(isinstance(each, ast.Starred) for each in call.args) or (
        name == "assertNotAlmostEqual" and "delta" in keywords
    ):
        return None
    if name.endswith("AlmostEqual") and len(call.args) > 2:  # noqa: PLR2004 -- the third argument is `places`
        keywords["places"] = ast.unparse(call.args[2])
    if "delta" in keywords and name == "assertAlmostEqual":
        template = "abs(({0}) - ({1})) <= ({delta})"
    places, delta = keywords.get("places", "7"), keywords.get("delta", "")
    try:
        condition = template.format(*map(ast.unparse, call.args), places=places, delta=delta)
    except IndexError:
        return None
    return ast.parse(f"assert {condition}").body[0]
