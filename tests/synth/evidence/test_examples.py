"""Examples are read as they are meant, and what is not understood is left out."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.evidence.examples import MAX_EXAMPLES, MAX_TEXT_CHARS, Example, narrow_examples, read_examples


def shown(text: str, **about: object) -> list[str]:
    """Return the examples in a text as one would write them."""
    return [example.shown for example in read_examples(text, **about)]  # type: ignore[arg-type]


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
    ],
)
def test_doctests(text: str, examples: list[str]) -> None:
    """A prompt and its output are an example, also over several lines; output that is no value is none."""
    assert shown(text) == examples


def test_a_doctest_s_statements_are_the_setup_of_the_next() -> None:
    """What a doctest prepares is run before the example that needs it, and forgotten after an empty line."""
    text = ">>> x = [1]\n>>> f(x)\n2\n\n>>> f(y)\n3"
    first, second = read_examples(text)
    assert (first.setup, second.setup) == ("x = [1]\n", "")


@pytest.mark.parametrize(
    ("text", "examples"),
    [
        ("assert f(1) == 2", ["f(1) == 2"]),
        ("assert 2 == f(1)", ["f(1) == 2"]),
        ("assert f(1) is None", ["f(1) == None"]),
        ("assert f(1)", ["bool(f(1)) == True"]),
        ("assert not f(1)", ["bool(f(1)) == False"]),
        ("assert f(1) == 2, 'why'", ["f(1) == 2"]),
        ("assert f(1) == 2  # why", ["f(1) == 2"]),
        ("assert f([1,\n  2]) == [\n 2]", ["f([1, 2]) == [2]"]),
        ("assert abs(f(1) - 2) < 0.1", ["bool(abs(f(1) - 2) < 0.1) == True"]),
        ("assert f(1) != 2", ["bool(f(1) != 2) == True"]),
        ("assert (f(1) == 2)", ["f(1) == 2"]),
        ("assert f(1) ==", []),
        ("assert f('{') == '['", ["f('{') == '['"]),
        ("assert f([')',\n 2]) == 3", ["f([')', 2]) == 3"]),
        ("assert x == 2", []),
        ("assert", []),
        ("assert (", []),
    ],
)
def test_asserts(text: str, examples: list[str]) -> None:
    """An assert's equation is an example; any other condition is to be true or false."""
    assert shown(text) == examples


@pytest.mark.parametrize(
    ("text", "examples"),
    [
        ("f(1) == 2", ["f(1) == 2"]),
        ("f(1) ➞ 2", ["f(1) == 2"]),
        ("f(1) -> 2", ["f(1) == 2"]),
        ("f(1) → [2, 3]", ["f(1) == [2, 3]"]),
        ("f(1) => 2", ["f(1) == 2"]),
        ("f(1) = 2", ["f(1) == 2"]),
        ("f(1) # returns 2", ["f(1) == 2"]),
        ("f(1) # => 2", ["f(1) == 2"]),
        ("f(1)  # 2", []),
        ("* f(1) returns 2", ["f(1) == 2"]),
        ("For example, `f([1,2])` should be `3`.", ["f([1,2]) == 3"]),
        ("f([1, 2]) should be 3, and f([]) should be 0.", ["f([1, 2]) == 3", "f([]) == 0"]),
        ("f(1) should return 'a' because", ["f(1) == 'a'"]),
        ("f(1) is 4 times as fast", []),
        ("f(1) is 4 because", ["f(1) == 4"]),
        ("f(1) is 4.", ["f(1) == 4"]),
        ("f(1) island 4", []),
        ("f(1) returns the value 4", ["f(1) == 4"]),
        ("f(1) should not be 3", []),
        ("f(x) == 2", []),
        ("f(*a) == 2", []),
        ("f(a=1) == 2", ["f(a=1) == 2"]),
        ("f(1) -> int", []),
        ("f(1) == g(2)", []),
        ("obj.f(1) == 2", []),
        ("def f(a=1) -> 2", []),
        ("len('abc') == 3", []),
        ("solution('') ==> ''", []),
        ("f(1) ==> 2", []),
        ("f(1), which is 2", []),
        ("f(1) == 2 + 3", []),
        ("f(1) == 2 - 3", []),
        ("f(1) == 2 if x else 3", []),
        ("f('(') == ')'", ["f('(') == ')'"]),
    ],
)
def test_sentences(text: str, examples: list[str]) -> None:
    """A call with constants, a word or sign for its result, and a value."""
    assert shown(text) == examples


@pytest.mark.parametrize(
    ("text", "examples"),
    [
        ("f(10) gives 3, but two would be right. f(0) should be 0.", ["f(0) == 0"]),
        ("f([-1, -2, 3]) returns [-2, 3].", []),
        ("f([]) raises IndexError. It should return 0 for an empty list.", ["f([]) == 0"]),
        ("f([]) raises IndexError, f([1]) should be 1.", ["f([1]) == 1"]),
        ("f([]) should not be 0. It should be faster.", []),
        ("f(1) is 2", []),
        ("f(1) must be 2", ["f(1) == 2"]),
        ("f(1) == 2", ["f(1) == 2"]),
        ("assert f(1) == 2", ["f(1) == 2"]),
        (">>> f(1)\n2", ["f(1) == 2"]),
    ],
)
def test_only_the_wanted_result_of_a_bug_report_is_an_example(text: str, examples: list[str]) -> None:
    """In a request for changes, only what is demanded is an example."""
    assert shown(text, of_changes=True) == examples


@pytest.mark.parametrize(
    "text", ["f(1) gives 3, but should not.", "f(1) is 3; instead it must grow", "f(1) -> 3 (but why?)"]
)
def test_a_contradicted_value_is_no_example(text: str) -> None:
    assert shown(text) == (["f(1) == 3"] if "(but" in text else [])


@pytest.mark.parametrize(
    ("text", "parameters", "examples"),
    [
        (
            "Input: nums = [2,7], target = 9\nOutput: [0,1]",
            ("nums", "target"),
            ["f(nums = [2,7], target = 9) == [0,1]"],
        ),
        ("Input: xs = [2,7], t = 9\nOutput: [0,1]", ("nums", "target"), ["f([2, 7], 9) == [0,1]"]),
        ("Input: [1, 2]\nOutput: 3", ("xs",), ["f([1, 2]) == 3"]),
        ("**Input:** [1, 2]\n**Output:** 3", ("xs",), ["f([1, 2]) == 3"]),
        ("- input: 'a'\n\n- output: 'b'", ("x",), ["f('a') == 'b'"]),
        ("Input: [1, 2], Output: 3", ("xs",), ["f([1, 2]) == 3"]),
        ("Input: 1, 2\nOutput: 3", ("a", "b"), ["f(1, 2) == 3"]),
        ("Input: (1, 2)\nOutput: 3", ("pair",), ["f((1, 2)) == 3"]),
        ("Input: 1\nOutput: 3", ("a", "b"), []),
        ("Input: a number\nOutput: 3", ("a",), []),
        ("Input: 1\nOutput: a number", ("a",), []),
        ("Input: 1\nInput: 2\nOutput: 3", ("a",), ["f(2) == 3"]),
        ("Output: 3", ("a",), []),
    ],
)
def test_pairs_of_input_and_output(text: str, parameters: tuple[str, ...], examples: list[str]) -> None:
    """Named or positional values, in one line or two, for a function that is known."""
    assert shown(text, function="f", parameters=parameters) == examples


def test_only_the_function_in_question() -> None:
    """With a function, examples of others are left out."""
    assert shown("f(1) == 2\ng(1) == 3", function="g") == ["g(1) == 3"]


def test_each_call_once_and_not_too_many() -> None:
    """A repeated example counts once; the first wins; there are at most so many."""
    assert shown("f(1) == 2\nf(1) == 2\nf(1) == 3") == ["f(1) == 2"]
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
    narrowed = narrow_examples(text, read_examples(text), function, ("a",))
    assert narrowed == read_examples(text, function=function, parameters=("a",))
