"""Examples are read as they are meant, and what is not understood is left out."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.evidence.examples import MAX_EXAMPLES, MAX_TEXT_CHARS, Example, narrow_examples, read_examples
from tests.synth.evidence.examples.forms import shown

"""Examples are read as they are meant, and what is not understood is left out."""


def test_examples_of_other_functions_are_left_out() -> None:
    """With a function, examples of others are left out."""
    assert shown("f(1) == 2\ng(1) == 3", function="g") == ["g(1) == 3"]


def test_examples_are_distinct_and_bounded() -> None:
    """A repeated example counts once, however it is spelled; there are at most so many."""
    assert shown("f(1) == 2\nf(1) == 2\nf( 1 ) == 2") == ["f(1) == 2"]
    assert len(shown("\n".join(f"f({n}) == {n}" for n in range(1000)))) == MAX_EXAMPLES


@pytest.mark.parametrize(
    "text",
    [
        "f(" * (MAX_TEXT_CHARS // 2),
        "(" * MAX_TEXT_CHARS,
        "f(1) == [" * (MAX_TEXT_CHARS // 9),
        ">>> " * (MAX_TEXT_CHARS // 4),
        ">>> x\n" * (MAX_TEXT_CHARS // 6),
        ">>> f(\n... " * (MAX_TEXT_CHARS // 11),
        ">>> x = 1\n" * (MAX_TEXT_CHARS // 10),
        "assert (\n" * (MAX_TEXT_CHARS // 9),
        "assert f(1) == \\\n" * (MAX_TEXT_CHARS // 18),
        "assert " * (MAX_TEXT_CHARS // 7),
        "f('" * (MAX_TEXT_CHARS // 3),
        "'" * MAX_TEXT_CHARS,
        "Input: " * (MAX_TEXT_CHARS // 7),
        "input:\n" * (MAX_TEXT_CHARS // 7),
        "f() = " * (MAX_TEXT_CHARS // 6),
        " " * MAX_TEXT_CHARS,
        "a" * MAX_TEXT_CHARS,
        "assert " + "not " * 200 + "f(1)",
        ">>> " + "-" * 900 + "f(1)\n1",
        "\\" * MAX_TEXT_CHARS,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_texts_end(text: str) -> None:
    """A text of full length made to be slow is read in steps of its length: the suite would hang otherwise."""
    assert len(read_examples(text, function="f", parameters=("x",))) <= MAX_EXAMPLES
    assert len(read_examples(text)) <= MAX_EXAMPLES


WORDS = st.sampled_from(
    ["f(1)", "f('a', [2])", " == ", " -> ", " should be ", "2", "[3]", "'x", "\n", ">>> ", "... ", "assert ", "Input: ",
     "Output: ", "a = 1", "(", ")", "#", "`", "Traceback (most recent call last):", "ValueError", '"""', ", ", "not "]
)  # fmt: skip


@given(st.lists(WORDS, max_size=30).map("".join) | st.text(max_size=200))
def test_whatever_is_read_can_be_run(text: str) -> None:
    """Every example is Python: its setup, its call, and what it expects."""
    for example in read_examples(text, function="f", parameters=("x",)):
        ast.parse(example.setup)
        ast.parse(example.call, mode="eval")
        ast.parse(example.expected or "None", mode="eval")
        assert example.function == "f"
        assert bool(example.raises) != (example.expected is not None)


@given(
    st.lists(st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=3), min_size=1, max_size=3),
    st.none() | st.booleans() | st.integers() | st.lists(st.text(max_size=3), max_size=3),
    st.sampled_from(["{} == {}", "{} -> {}", "`{}` should be `{}`.", ">>> {}\n{}", "assert {} == {}", "  {} # => {}"]),
)
def test_examples_are_read_verbatim(arguments: list[object], expected: object, form: str) -> None:
    """In every form, the call and the value come back as they were written."""
    call = f"f({', '.join(map(repr, arguments))})"
    if "\n" in call + repr(expected):
        return
    (example,) = read_examples(form.format(call, repr(expected)))
    assert example.expected is not None
    assert ast.literal_eval(example.expected) == expected
    assert ast.dump(ast.parse(example.call)) == ast.dump(ast.parse(call))


def test_an_example_is_a_value() -> None:
    """Equal examples are equal, so they can be counted."""
    assert Example("f", "f(1)", "2") == Example("f", "f(1)", "2")


@pytest.mark.parametrize(
    ("text", "examples"),
    [
        ("f(3) == 5\nf(3) == 6\nf(4) == 7", ["f(4) == 7"]),
        ("f(3) returns 5\nf(3) should be 6", ["f(3) == 6"]),
        ("Got: f(3) = 5\nWant: f(3) = 6", ["f(3) == 6"]),
        ("Before:\nf(3) -> 5\nAfter:\nf(3) -> 6", ["f(3) == 6"]),
        ("Currently:\n- f(3) -> 5\n- f(4) -> 6\nI want:\n- f(3) -> 6", ["f(3) == 6"]),
        ("Actual output:\n```\nf(3) -> 5\n```\nExpected output:\n```\nf(3) -> 6\n```", ["f(3) == 6"]),
        ("The current code returns:\nassert f(3) == 5", []),
        ("This is the bug:\n\nf(3) -> 5", []),
        ("Don't use recursion. Examples:\n\nf(3) -> 5", ["f(3) == 5"]),
        ("Examples:\n\nf(3) -> 5", ["f(3) == 5"]),
        ("```python\nprint(f(3))  # prints 4\n```\nbut I need 3.", []),
        ("f(3)\n# 1\n# 2\n# 3", []),
        ("f(3)\n# 1", ["f(3) == 1"]),
    ],
)
def test_the_faulty_one_of_two_values_is_no_example(text: str, examples: list[str]) -> None:
    """Nor is either of two values, if none is the demanded one, or output of several lines."""
    assert shown(text) == examples


LINES = st.sampled_from(
    [
        ">>> f(1)",
        ">>> g(1)",
        ">>> f('a')",
        "2",
        "",
        "x = 3",
        ">>> x = 3",
        "f(2) should be 3, g(2) returns 4",
        "assert f(5) == 6",
        "Input: a = 1",
        "INPUT = 7",
        "Output: 8",
    ]
)


@given(st.lists(LINES, max_size=60), st.sampled_from(["f", "g", "h"]))
def test_narrowing_is_reading_for_the_function(lines: list[str], function: str) -> None:
    """With pairs of input and output, and with more examples than are read at first."""
    text = "\n".join(lines)
    narrowed = narrow_examples(text, read_examples(text), function, parameters=("a",))
    assert narrowed == read_examples(text, function=function, parameters=("a",))
