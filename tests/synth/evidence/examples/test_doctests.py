"""Sessions are read as doctest and IPython write them."""

import pytest

from synth.evidence.examples import read_examples
from tests.synth.evidence.examples.forms import shown


@pytest.mark.parametrize(
    ("text", "examples"),
    [
        (">>> f(1)\n2", ["f(1) == 2"]),
        ("    >>> f(1)\n    2\n    >>> f(2)\n    3\n", ["f(1) == 2", "f(2) == 3"]),
        (">>> f([1,\n...    2])\n[2, 1]", ["f([1, 2]) == [2, 1]"]),
        (">>> f('a')\n'b'\n\nprose", ["f('a') == 'b'"]),
        (">>> f(1) # one\n2", ["f(1) == 2"]),
        (">>> f(1) == 2\nTrue", ["f(1) == 2"]),
        (">>> f(1) == 2", ["f(1) == 2"]),
        (">>> f(0)\nTraceback (most recent call last):\n  ...\nValueError: no", ["f(0) raises ValueError"]),
        (">>> print(f(1))\ntwo", ["str(f(1)) == 'two'"]),
        (">>> f(1)\n<object at 0x1>", []),
        (">>> f(1)", []),
        (">>> f(1)\n```\n2", []),
        ('>>> f(1)\n2\n"""', ["f(1) == 2"]),
        (">>> len([1])\n1", []),
        (">>> f(\n...   [1,\n...    2]\n... )\n3", ["f([1, 2]) == 3"]),
        (">>> f(1)  # doctest: +NORMALIZE_WHITESPACE\n[1,\n 2]", ["f(1) == [1, 2]"]),
        (">>> f(1)  # doctest: +ELLIPSIS\n[0, ..., 9]", []),
        (">>> f(1)\n[0, ..., 9]", []),
        (">>> f(1)  # doctest: +SKIP\n2", []),
        (">>> f('a...')\n'b...'", ["f('a...') == 'b...'"]),
        (">>> f(-1)\nTraceback (most recent call last):\n  File x\nValueError: a\nb: c", ["f(-1) raises ValueError"]),
        (">>> f(-1)\nTraceback (innermost last):\njson.JSONDecodeError", ["f(-1) raises JSONDecodeError"]),
        ("  >>> f(-1)\n  Traceback (most recent call last):\n      ...\n  KeyError: 'a'", ["f(-1) raises KeyError"]),
        (">>> print(f(1), f(2))\n1 2", ["' '.join(map(str, [f(1), f(2)])) == '1 2'"]),
        (">>> print(*f(1), sep='-')\n1-2", ["'-'.join(map(str, [*f(1)])) == '1-2'"]),
        (">>> print(f(1), end='')\n1", []),
        (">>> print(f(1))\na\n<BLANKLINE>\nb", ["str(f(1)) == 'a\\n\\nb'"]),
        (">>> f(1) == 2\nFalse", ["(f(1) == 2) == False"]),
        (">>> f(1) is not None\nTrue", ["(f(1) is not None) == True"]),
        (">>> [f(i) for i in range(2)]\n[0, 1]", ["[f(i) for i in range(2)] == [0, 1]"]),
        ("In [1]: f(1)\nOut[1]: 2", ["f(1) == 2"]),
        ("In [12]: f([1,\n   ...:    2])\nOut[12]: 3", ["f([1, 2]) == 3"]),
        (">>> f(x)\n2", []),
        (">>> await f(1)\n2", ["asyncio.run(f(1)) == 2"]),
        (">>> math.isclose(f(1), 2)\nTrue", ["math.isclose(f(1), 2) == True"]),
    ],
)
def test_doctests_are_examples(text: str, examples: list[str]) -> None:
    """A prompt and its output are an example, also over several lines; output that is no value is none."""
    assert shown(text) == examples


@pytest.mark.parametrize(
    ("text", "setups"),
    [
        (">>> x = [1]\n>>> f(x)\n2\n>>> f(1)\n3", ["x = [1]\n", ""]),
        (">>> x = [1]\n\n>>> f(x)\n2", ["x = [1]\n"]),
        (">>> x = [1]\nprose\n>>> f(x)\n2", ["x = [1]\n"]),
        ('>>> x = [1]\n"""\n>>> f(x)\n2', []),
        (">>> from math import pi\n>>> f(pi)\n3", ["from math import pi\n"]),
        (">>> f(3)\n>>> f(4)\n5", [""]),
        (">>> math.isclose(f(1), 2)\nTrue", ["import math\n"]),
    ],
)
def test_statements_of_a_session_are_the_setup_of_later_examples(text: str, setups: list[str]) -> None:
    """Until the docstring or block ends; modules that are used without an import are imported."""
    assert [example.setup for example in read_examples(text)] == setups


@pytest.mark.parametrize(
    ("text", "examples"),
    [
        (">>> x = [2, 1]\n>>> f(x)\n>>> x\n[1, 2]", [("f", "x = [2, 1]; f(x); x == [1, 2]")]),
        (
            ">>> s = Stack()\n>>> s.push(1)\n>>> s.pop()\n1\n>>> len(s.items)\n0",
            [
                ("Stack", "s = Stack(); s.push(1); s.pop() == 1"),
                ("Stack", "s = Stack(); s.push(1); s.pop(); len(s.items) == 0"),
            ],
        ),
        (">>> from collections import deque\n>>> q = deque([1])\n>>> q.pop()\n1", []),
        (">>> g = f\n>>> g(1)\n2", [("f", "g = f; g(1) == 2")]),
    ],
)
def test_an_object_that_changes_is_followed(text: str, examples: list[tuple[str, str]]) -> None:
    """What changes in place, and methods, belong to the function or the class that the session calls."""
    assert [(example.function, example.shown) for example in read_examples(text)] == examples
