"""Only complete expressions are read out of prose."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.evidence.expressions import (
    MAX_DEPTH,
    MAX_EXPRESSION_CHARS,
    end_of_item,
    find_calls,
    is_value,
    parse_expression,
    read_value,
)

NOISE = st.text("f(g)[]{}'\"\\ \n=.,:#1a", max_size=200)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", "3"),
        ("-3.5", "-3.5"),
        ("1e-3,", "1e-3"),
        ("3.", "3"),
        ("2.0. And", "2.0"),
        ("0x1f", "0x1f"),
        ("2j", "2j"),
        (".5", ".5"),
        ("True", "True"),
        ("None.", "None"),
        ("'it''s' x", None),
        ("'a b'", "'a b'"),
        ('"a\\"b"', '"a\\"b"'),
        ("b'x'", "b'x'"),
        ("[1, [2, 3]] rest", "[1, [2, 3]]"),
        ("(1, ')')`", "(1, ')')"),
        ("{'a': [1]}", "{'a': [1]}"),
        ("set()", "set()"),
        ("float('inf')", "float('inf')"),
        ("-float('inf')", None),
        ("open('x')", None),
        ("[open('x')]", None),
        ("[x]", None),
        ("[x for x in y]", None),
        ("int", None),
        ("[1, 2", None),
        ("(1]", None),
        ("3x", None),
        ("3 + 4", None),
        ("3 - because", None),
        ("3 and more", "3"),
        ("3 or 4", None),
        ("[1][0]", None),
        ("", None),
        ("word", None),
        ("'open", None),
    ],
)
def test_a_value_is_read(text: str, value: str | None) -> None:
    """Numbers, strings, brackets, constants and constructors; nothing that calls, names or computes."""
    found = read_value(text, 0)
    assert (None if found is None else found[0]) == value


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("f(1) and g(2)", ["f(1)", "g(2)"]),
        ("f(g(1))", ["f(g(1))"]),
        ("a.f(1)", []),
        ("def f(x): pass", []),
        ("class f(x): pass", []),
        ("if (x)", []),
        ("print(f(1))", ["f(1)"]),
        ("f(1", []),
        ("f(g(1)", ["g(1)"]),
        ("don't f('it') isn't", ["f('it')"]),
        ("f(')')", ["f(')')"]),
        ("f (1)", []),
        ("f('''a\nb''')", ["f('''a\nb''')"]),
        ("f(1]", []),
    ],
)
def test_calls_are_found(text: str, calls: list[str]) -> None:
    """Outermost calls of plain names, with their brackets closed."""
    assert [text[start:end] for _, start, end in find_calls(text)] == calls


@pytest.mark.parametrize(
    "text",
    ["", " ", "x =", "(" * 300, "-" * 400 + "1", "not " * 200 + "1", "1" * (MAX_EXPRESSION_CHARS + 1), "\0", "a\nb"],
)
def test_other_text_is_no_expression(text: str) -> None:
    """Neither broken, nor long, nor deep text is an expression, and none of it raises."""
    assert parse_expression(text) is None


def test_parsed_expressions_can_be_unparsed() -> None:
    """The deepest expression that is accepted is far from the recursion limit."""
    deepest = "-" * (MAX_DEPTH - 3) + "1"
    node = parse_expression(deepest)
    assert node is not None
    assert ast.unparse(node) == deepest


@given(NOISE)
def test_every_call_is_a_slice_that_opens_and_closes(text: str) -> None:
    """Found calls are in order, do not overlap, and have their stated text."""
    last = 0
    for name, start, end in find_calls(text):
        assert start >= last
        assert text[start:end].startswith(f"{name}(")
        assert text[end - 1] == ")"
        last = end


@given(NOISE, st.integers(0, 200))
def test_a_value_that_is_read_is_one(text: str, start: int) -> None:
    """Whatever the text, a value parses, and is made of constants and constructors alone."""
    found = read_value(text, start)
    if found is not None:
        node = parse_expression(found[0])
        assert node is not None
        assert is_value(node)
        assert text[start : found[1]] == found[0]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3)))
def test_every_literal_is_read(value: object) -> None:
    """The repr of a value is read completely, whatever text follows."""
    text = repr(value)
    if len(text) <= MAX_EXPRESSION_CHARS:
        assert read_value(f"{text} and more", 0) == (text, len(text))


@given(NOISE)
def test_an_item_ends_within_its_bound(text: str) -> None:
    """Where brackets end is within the text."""
    for start in range(0, len(text), 7):
        end = end_of_item(text, start)
        assert end is None or start < end <= len(text)
