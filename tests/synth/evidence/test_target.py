"""The function that a request means is found, and a candidate's code becomes a module that can be run."""

import pytest

from synth.evidence.examples import Example
from synth.evidence.target import (
    MAX_CODE_CHARS,
    choose_function,
    find_code,
    find_common_function,
    find_named_function,
    find_stubs,
)

STUB = '''Complete it:

```python
from typing import List

LIMIT = 3

def helper(x):
    return x + LIMIT

def wanted(xs: List[int], n=0) -> int:
    """Add up.
    >>> wanted([1])
    1
    """
```'''


def block(code: str) -> str:
    return f"Here:\n\n```python\n{code}\n```\n"


def example(function: str) -> Example:
    return Example(function, f"{function}(1)", "2")


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "...",
        "raise NotImplementedError",
        "raise NotImplementedError('todo')",
        '"""Say."""',
        '"""Say."""\n    pass',
    ],
)
def test_a_stub_has_no_body(body: str) -> None:
    """A docstring, `pass`, `...` and NotImplementedError are no body."""
    assert [stub.name for stub in find_stubs(block(f"def f(x):\n    {body}"))] == ["f"]


@pytest.mark.parametrize("body", ["return x", '"""Say."""\n    return x', "raise ValueError", "x = 1"])
def test_a_function_with_a_body_is_no_stub(body: str) -> None:
    assert find_stubs(block(f"def f(x):\n    {body}")) == []


def test_a_stub_has_its_lead() -> None:
    """Imports, constants and helpers of the block are its lead; parameters come with their hints."""
    (stub,) = find_stubs(STUB)
    assert stub.name == "wanted"
    assert "def helper" in stub.lead
    assert stub.source.startswith("def wanted(")
    assert stub.source.rstrip().endswith('"""')
    assert stub.parameters == ("xs", "n")
    assert stub.hints == ("List[int]", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "def f(",
        block("def f(:"),
        block("def len(x): pass"),
        "```js\nfunction f(x) {}\n```",
        block("x" * (MAX_CODE_CHARS + 1)),
    ],
)
def test_other_texts_have_no_stub(text: str) -> None:
    """Broken code, built-in names, other languages and what is too long give none."""
    assert find_stubs(text) == []


@pytest.mark.parametrize(
    ("code", "callee", "parameters"),
    [
        ("class Solution:\n    def add(self, a: int, b: int) -> int:\n        ", "Solution().add", ("a", "b")),
        ("class Solution:\n    def add(self, a):\n        pass", "Solution().add", ("a",)),
        ('class Stack:\n    """A stack."""\n\n    def push(self, x): ...\n    def pop(self): ...', "", ()),
        ("class A:\n    def __init__(self): ...\n    def add(self, a): ...", "A().add", ("a",)),
        ("def f(x):", "f", ("x",)),
    ],
)
def test_a_class_may_be_the_stub(code: str, callee: str, parameters: tuple[str, ...]) -> None:
    """It is called by its only public method; a head without any body is a stub as well."""
    (stub,) = find_stubs(block(code))
    assert (stub.callee, stub.parameters) == (callee, parameters)


@pytest.mark.parametrize(
    "code", ["class A:\n    x = f()\n    def add(self): ...", "class A:\n    def add(self): return 1", "class A: pass"]
)
def test_other_classes_are_no_stub(code: str) -> None:
    assert find_stubs(block(code)) == []


@pytest.mark.parametrize(
    ("hints", "takes"),
    [
        ("a: int, b: List[str] | None", True),
        ("a, b: Optional[dict[str, float]]", True),
        ("root: TreeNode", False),
        ("head: Optional[ListNode]", False),
    ],
)
def test_arguments_of_own_types_cannot_be_written(hints: str, *, takes: bool) -> None:
    """A list that stands for a tree in an example is no argument."""
    (stub,) = find_stubs(block(f"def f({hints}): pass"))
    assert stub.takes_values is takes


def test_names_of_typing_are_given() -> None:
    """The author of a stub that does not import them has them."""
    (stub,) = find_stubs(block("class Solution:\n    def add(self, a: List[int]) -> Optional[int]:"))
    assert stub.lead == "from typing import List, Optional\n"
    code = "class Solution:\n    def add(self, a: List[int]):\n        return sum(a)"
    assert run(find_code(block(code), "Solution", stub), "Solution().add([1, 2])") == 3
    method = "def add(self, a: List[int]):\n    return sum(a)"
    assert run(find_code(block(method), "Solution", stub), "Solution().add([1, 2])") == 3


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write a function `two_sum(nums, target)`.", ("two_sum", ("nums", "target"))),
        ("Implement `def climb(n):` for stairs", ("climb", ("n",))),
        ("Create `climb(n)`.", ("climb", ("n",))),
        ("Write a function called add(a: int, b=2) that", ("add", ("a", "b"))),
        ("a function two_sum that adds", ("two_sum", ())),
        ("Schreibe eine Funktion namens `rev`", ("rev", ())),
        ("Implement rotate(matrix).", ("rotate", ("matrix",))),
        ("Write a function that adds (or subtracts) numbers", ("", ())),
        ("Write a function called that", ("", ())),
        ("a function `len`", ("", ())),
    ],
)
def test_a_function_is_named_by_a_sentence(text: str, found: tuple[str, tuple[str, ...]]) -> None:
    """With its parameters if they are given; a word that may be any is none."""
    assert find_named_function(text) == found


def test_code_without_a_fence_counts() -> None:
    """A request that is code itself has no fence."""
    assert [stub.name for stub in find_stubs("def f(x):\n    pass\n")] == ["f"]


@pytest.mark.parametrize(
    ("stubs", "called", "function"),
    [
        ("def f(x): pass", ["g", "g"], "f"),
        ("def f(x): pass\ndef g(x): pass", ["f"], "f"),
        ("def f(x): pass\ndef g(x): pass", [], "g"),
        ("", ["g", "f", "f"], "f"),
        ("", [], ""),
    ],
)
def test_the_function_is_chosen(stubs: str, called: list[str], function: str) -> None:
    """The stub that examples call, the last stub, or what most examples call."""
    assert choose_function(find_stubs(block(stubs)), [example(name) for name in called]) == function


@pytest.mark.parametrize(
    ("sources", "function"),
    [
        (["def f(x): pass", "def f(y):\n    def g(): pass\n    return 1"], "f"),
        (["def f(x): pass\ndef _h(): pass", "def f(x): pass\ndef _h(): pass"], "f"),
        (["def f(x): pass", "def g(x): pass"], ""),
        (["def f(x): pass\ndef g(): pass", "def f(x): pass\ndef g(): pass"], ""),
        (["def f(x): pass", "def f("], ""),
        ([], ""),
    ],
)
def test_the_common_function(sources: list[str], function: str) -> None:
    """The only public function that all candidates define, if there is exactly one."""
    assert find_common_function(sources) == function


def run(source: str | None, call: str) -> object:
    """Return what a call gives in a module."""
    assert source is not None
    names: dict[str, object] = {}
    exec(compile(source, "module.py", "exec"), names)
    return eval(call, names)


@pytest.mark.parametrize(
    "code",
    [
        "def wanted(xs, n=0):\n    return helper(sum(xs))",
        "    def wanted(xs, n=0):\n        return helper(sum(xs))",
        "return helper(sum(xs))",
        "    return helper(sum(xs))",
        "from __future__ import annotations\ndef wanted(xs: List[int], n=0):\n    return helper(sum(xs))",
        "wanted = lambda xs, n=0: helper(sum(xs))",
        "def helper(x):\n    return x + 3\ndef wanted(xs, n=0):\n    return helper(sum(xs))",
    ],
)
def test_an_answer_becomes_a_module(code: str) -> None:
    """Whole functions, bodies alone and indented code run below what the request gives."""
    (stub,) = find_stubs(STUB)
    assert run(find_code(block(code), "wanted", stub), "wanted([1, 2])") == 6


def test_the_block_that_defines_the_function_counts() -> None:
    """A usage example beside it is not run."""
    text = block("wanted(1)") + block("def wanted(x):\n    return x") + block("def wanted(x):\n    return 2 * x")
    assert run(find_code(text, "wanted", None), "wanted(4)") == 4


def test_helpers_in_blocks_of_their_own_count() -> None:
    """Before or behind the function; a block that runs something does not."""
    helper = block("import math\nLIMIT = 2\ndef helper(x):\n    return math.floor(x) + LIMIT")
    wanted = block("def wanted(x):\n    return helper(x)")
    usage = block("def main(): pass\nraise SystemExit")
    assert run(find_code(helper + wanted + usage, "wanted", None), "wanted(1.5)") == 3
    assert run(find_code(usage + wanted + helper, "wanted", None), "wanted(1.5)") == 3


@pytest.mark.parametrize("text", ["", "words", "x" * (MAX_CODE_CHARS + 1), "```js\nx\n```"])
def test_an_answer_without_code_is_none(text: str) -> None:
    """Prose, other languages and what is too long have no code."""
    assert find_code(text, "wanted", None) is None


def test_code_that_lacks_the_function_is_run_as_it_is() -> None:
    """It fails for lacking it, which is known."""
    assert find_code(block("def other(x): pass"), "wanted", None) == "def other(x): pass\n"
