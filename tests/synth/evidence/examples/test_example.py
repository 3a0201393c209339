"""What an example is about, how it is shown, and what it lacks."""

import ast

import pytest

from synth.evidence.examples.example import Example, complete, find_function


@pytest.mark.parametrize(
    ("expression", "setup", "function"),
    [
        ("f(1)", "", "f"),
        ("sorted(f(1))", "", "f"),
        ("x", "x = f(1)", "f"),
        ("x.a()", "x = A()", "A"),
        ("x", "from m import f\nx = f(1)", ""),
        ("g(1)", "g = f", "f"),
        ("x", "", ""),
        ("1", "f(1)", ""),
        ("f(1)", "x = (", "f"),
    ],
)
def test_the_function_of_an_expression_is_found(expression: str, setup: str, function: str) -> None:
    """The function that it or its setup calls, unless that is imported."""
    assert find_function(ast.parse(expression, mode="eval").body, setup) == function


@pytest.mark.parametrize(
    ("example", "shown"),
    [
        (Example("f", "f(1)", "2"), "f(1) == 2"),
        (Example("f", "f(1)", None, "KeyError"), "f(1) raises KeyError"),
        (Example("f", "f(x)", "2", "", "x = 1\n"), "f(x) == 2"),
        (Example("f", "x", "2", "", "x = 1\nf(x)\n"), "x = 1; f(x); x == 2"),
        (Example("f", "test_f()", None, "", "def test_f():\n    f()"), "test_f()"),
    ],
)
def test_an_example_is_shown_as_one_expression(example: Example, shown: str) -> None:
    """With its setup only if the expression alone is not enough."""
    assert example.shown == shown


@pytest.mark.parametrize(
    ("example", "completed"),
    [
        (Example("f", "f(1)", "2"), Example("f", "f(1)", "2")),
        (Example("f", "f(x)", "2"), None),
        (Example("f", "f(1)", "y"), None),
        (Example("f", "f(LIMIT)", "Point(2)"), Example("f", "f(LIMIT)", "Point(2)")),
        (Example("f", "f(math.pi)", "2"), Example("f", "f(math.pi)", "2", "", "import math\n")),
        (Example("f", "f(x)", "2", "", "x = 1\n"), Example("f", "f(x)", "2", "", "x = 1\n")),
        (Example("f", "f(1)", "2", "", "x = 1\n"), Example("f", "f(1)", "2")),
        (Example("f", "[f(i) for i in (1, 2)]", "[2]"), Example("f", "[f(i) for i in (1, 2)]", "[2]")),
        (Example("f", "map(lambda a: f(a), [1])", "[2]"), Example("f", "map(lambda a: f(a), [1])", "[2]")),
    ],
)
def test_names_of_an_example_are_known(example: Example, completed: Example | None) -> None:
    """Modules are imported, needless setups dropped, and an example with an unknown variable is none."""
    assert complete(example) == completed
