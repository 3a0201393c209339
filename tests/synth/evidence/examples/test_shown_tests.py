"""Tests that a text shows in a block are examples, each assert of its own if possible."""

import pytest

from synth.evidence.examples import MAX_EXAMPLES, Example, read_examples
from tests.synth.evidence.examples.forms import shown

CASE = "class T(unittest.TestCase):\n    def test_a(self):\n        BODY"


def block(code: str, language: str = "python") -> str:
    return f"Pass these:\n\n```{language}\n{code}\n```\n"


@pytest.mark.parametrize(
    ("code", "examples"),
    [
        ("assert f(1) == 2", ["f(1) == 2"]),
        ("expected = [2]\nassert f(1) == expected", ["f(1) == expected"]),
        ("result = f(1)\nassert result == 2", ["result = f(1); result == 2"]),
        ("candidate = f\nassert candidate(1) == 2", ["candidate = f; candidate(1) == 2"]),
        ("def test_f():\n    assert f(1) == 2\n    assert not f(2)", ["f(1) == 2", "bool(f(2)) == False"]),
        (
            "@pytest.mark.parametrize('x, y', [(1, 2), (3, 4)])\ndef test_f(x, y):\n    assert f(x) == y",
            ["f(x) == y", "f(x) == y"],
        ),
        ("def test_f():\n    with pytest.raises(ValueError):\n        f(-1)", ["f(-1) raises ValueError"]),
        ("with pytest.raises(ValueError):\n    f(-1)", ["f(-1) raises ValueError"]),
        ("pytest.raises(json.JSONDecodeError, f, -1)", ["f(-1) raises JSONDecodeError"]),
        ("def test_f():\n    for x in (1, 2):\n        assert f(x) == x", ["test_f()"]),
        (
            CASE.replace(
                "BODY", "self.assertEqual(f(1), 2)\n        with self.assertRaises(ValueError):\n            f(-1)"
            ),
            ["f(1) == 2", "f(-1) raises ValueError"],
        ),
        (
            CASE.replace("BODY", "self.assertEqual(f(self.x), 2)\n\n    def setUp(self):\n        self.x = 1"),
            ["T_test_a()"],
        ),
        ("def test_f(tmp_path):\n    assert f(1) == 2", []),
        ("@pytest.mark.parametrize('a', [*range(3)])\ndef test_f(a):\n    assert f(a) == a", []),
        (CASE.replace("BODY", "self.assertEqual(*f(1), 3)"), []),
        (CASE.replace("BODY", "self.assertTrue(*f(1))"), []),
        (
            CASE.replace("BODY", "self.assertAlmostEqual(f(1), 2, delta={'a': 1}['a'])"),
            ["bool(abs(f(1) - 2) <= {'a': 1}['a']) == True"],
        ),
        ("@pytest.fixture(autouse=True)\ndef prepare():\n    X.append(1)\n\ndef test_f():\n    assert f(1) == 2", []),
        ("def test_f():\n    pytest.skip('x')\n    assert f(1) == 2", []),
        ("@pytest.mark.skip\ndef test_f():\n    assert f(1) == 2", []),
        ("def f(x):\n    assert x > 0\n    return x", []),
        ("def test_f():\n    assert len([1]) == 1", []),
    ],
)
def test_tests_are_read(code: str, examples: list[str]) -> None:
    """Of functions, classes and single statements."""
    assert shown(block(code)) == examples


NODE = "class Node:\n    pass"
MAKE = "def make(n):\n    return [n]"


@pytest.mark.parametrize(
    ("code", "call", "defined"),
    [
        (f"{MAKE}\n\ndef test_f():\n    assert f(make(3)) == 3", "f(make(3))", ["make"]),
        (f"{NODE}\n\nassert f(Node()) == 1", "f(Node())", ["Node"]),
        (f"{MAKE}\n\n{NODE}\n\nassert f(make(Node())) == 1", "f(make(Node()))", ["make", "Node"]),
        ("def f(x):\n    return x\n\nassert f(1) == 2", "f(1)", []),
        (f"{MAKE}\n\nassert f(1) == 2", "f(1)", []),
        ("def f(x):\n    assert x\n    return g(x)\n\nassert f(1) == 2", "f(1)", []),
        ("def check(x):\n    assert f(x) == x\n\ndef test_f():\n    check(1)", "test_f()", ["check"]),
        ("from m import f, make\nassert f(make(3)) == 3", "f(make(3))", []),
    ],
)
def test_a_helper_beside_a_test_is_defined_if_the_answer_lacks_it(code: str, call: str, defined: list[str]) -> None:
    """Its own definition in the answer stays, and that of the function is never replaced."""
    (example,) = read_examples(block(code))
    assert (example.function, example.call) == ("f", call)
    assert [name for name in ("make", "Node", "check", "f") if f"try:\n    {name}\nexcept" in example.setup] == defined


@pytest.mark.parametrize(
    "code",
    [
        "from m import f as g\nassert g(1) == 2",
        "from m import f\nfrom tests.factories import make\nassert f(make(3)) == 3",
        "from numpy import array\nassert f(array([1])) == 2",
        "add('a')\nassert f('a') == 1",
    ],
)
def test_a_test_that_needs_what_the_answer_has_not_is_no_example(code: str) -> None:
    """Nor one after a call for its effect, which would add up."""
    assert read_examples(block(code)) == ()


@pytest.mark.parametrize(
    ("code", "setup"),
    [
        ("import math\nassert f(math.pi) == 3", "import math\n"),
        ("from solution import f\nx = 1\nassert f(x) == 2", "x = 1\n"),
        ("import numpy as np\nassert f(1) == 2", ""),
        ("def test_f():\n    xs = [1]\n    assert f(xs) == 1", "xs = [1]\n"),
    ],
)
def test_statements_before_an_assert_are_its_setup(code: str, setup: str) -> None:
    """But not the import of what the answer defines."""
    assert [example.setup for example in read_examples(block(code))] == [setup]


def test_an_assertion_may_change_an_object() -> None:
    """So an assert is part of the setup of the next one that uses the same names."""
    first, second = read_examples(block("s = Stack()\ns.push(1)\nassert s.pop() == 1\nassert len(s.items) == 0"))
    assert first == Example("Stack", "s.pop()", "1", "", "s = Stack()\ns.push(1)\n")
    assert second.setup == "s = Stack()\ns.push(1)\ns.pop() == 1\n"


def test_other_and_broken_blocks_are_read_by_line() -> None:
    """Of JavaScript nothing but what looks like an example anywhere."""
    assert shown(block("assert f(1) == 2\ndef broken(:")) == ["f(1) == 2"]
    assert shown(block("assert(f(1) === 2)", "js")) == []
    assert len(shown(block("\n".join(f"assert f({n}) == {n}" for n in range(100))))) == MAX_EXAMPLES
