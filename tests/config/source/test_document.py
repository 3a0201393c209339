"""YAML to a tree with positions."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.source.document import MAX_DEPTH, Broken, Entries, Items, Node, Scalar, parse
from config.source.problems import Problems

BOMB = "\n".join(["a0: &a0 [x, x]", *(f"a{i + 1}: &a{i + 1} [*a{i}, *a{i}]" for i in range(30))])


def parsed(text: str, **environ: str) -> tuple[Any, tuple[str, ...]]:
    """Return a document as plain values, and its problems."""
    problems = Problems(Path("f"))
    return plain(parse(text, environ, problems)), problems.messages()


def plain(node: Node) -> Any:
    match node:
        case Scalar():
            return node.value
        case Items():
            return [plain(item) for item in node.nodes]
        case Entries():
            return {key: plain(value) for key, value in node.nodes.items()}
        case Broken():
            return Broken


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: [x, '2', null]", {"a": 1, "b": ["x", "2", None]}),
        ("1: x\ntrue: y\n~: z", {"1": "x", "true": "y", "~": "z"}),
        ("a: ${N}", {"a": 7}),
        ('a: "${N}"', {"a": "7"}),
        ("a: '${N}'", {"a": "7"}),
        ("a: |\n  ${N}\n", {"a": "7\n"}),
        ("a: !!str ${N}", {"a": "7"}),
        ('a: !!int "${N}"', {"a": 7}),
        ("a: !!float 7", {"a": 7}),
        ("a: ${NONE:-}", {"a": None}),
        ("a: ${NONE:-true}", {"a": True}),
        ("${N}: 1", {"${N}": 1}),
        ("a: $${N}", {"a": "${N}"}),
        ("a: ${YAML}", {"a": "[1, {b: 2}]\nc: 3"}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}),
        ("b: {<<: [{p: 1}, {p: 2, r: 3}]}", {"b": {"p": 1, "r": 3}}),
        ("b: {'<<': 1}", {"b": {"<<": 1}}),
    ],
)
def test_values_are_parsed(text: str, value: Any) -> None:
    """Types, tags, substitution after parsing, anchors and merge keys."""
    assert parsed(text, N="7", YAML="[1, {b: 2}]\nc: 3") == (value, ())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3", "f:3: a: is a duplicate key, first on line 1"),
        ("m:\n  '1': 1\n  1: 1", "f:3: m.1: is a duplicate key, first on line 2"),
        ("a: 1\nb:\n  - c: ${X}", "f:3: b[0].c: ${X} is not set: set X in the environment or in .env, "),
        ("? [a]\n: 1", "f:1: has a list or a mapping as a key: keys must be text"),
        ("a: !thing x", "f:1: a: has a tag that does not fit its value"),
        ("a: !!int x", "f:1: a: has a tag that does not fit its value"),
        ("a: !!int true", "f:1: a: has a tag that does not fit its value"),
        ("a: !!python/object:os.x {}", "f:1: a: has an unknown tag"),
        ("a: !!set {b}", "f:1: a: has an unknown tag"),
        ("a: &a [*a]", "f:1: a[0]: has an alias that contains itself"),
        ("a: {<<: 1}", "f:1: a.<<: must be a mapping, or a list of mappings, to merge"),
        ("a: {b c: ${X}}", "; within {…} and […], ${VAR} must be in quotes"),
        ("a: {b c: d e: f}", "f:1: is not YAML: "),
        ("a: [b\n", "',' or ']'"),
        ("a: {'b c': '${X}'}", "f:1: a.(a key that is not shown): ${X} is not set"),
        ("", "f:1: is empty: write at least"),
        ("# nothing\n", "f:1: is empty: write at least"),
        ("a: 1\n---\nb: 2", "f:2: is not YAML: has a second document"),
        ("x: 1\n\ty: 2", "f:2: is not YAML: "),
        ("a: 1\nb: \x07", "f:2: is not YAML: has a control character"),
        ("a: b: c", "f:1: is not YAML: has a second colon, at column 5: put a value that contains ': ' in quotes"),
        ("a:\n- [" + "[" * 200_000, "f:2: is nested more than 50 levels deep"),
        ("a: " + "{b: " * 60 + "}" * 60, "f:1: is nested more than 50 levels deep"),
        (BOMB, "values, with its aliases expanded"),
    ],
)
def test_each_problem_is_reported_with_its_line(text: str, problem: str) -> None:
    """Each problem is reported with its line, and hostile documents are stopped early."""
    _, problems = parsed(text)
    assert len(problems) == 1
    assert problem in problems[0]


def test_aliases_cannot_exceed_the_depth_limit() -> None:
    """Depth is limited with aliases expanded, too."""
    half = MAX_DEPTH // 2
    text = f"a: &a {'[' * half}{']' * half}\nb: {'[' * half}*a{']' * half}"
    assert parsed(text)[1] == (f"f:1: b{'[0]' * half}{'[0]' * (half - 1)}: is nested more than 50 levels deep",)


def test_a_problem_shared_by_aliases_is_reported_once() -> None:
    """A missing variable under an anchor is one problem, however many aliases refer to it."""
    value, problems = parsed("a: &a {k: '${X}'}\nb: *a\nc: {<<: *a}")
    assert value["c"]["k"] is Broken
    assert len(problems) == 1


def test_every_problem_is_reported() -> None:
    """One problem hides no other; the order is that of the file."""
    _, problems = parsed("a: ${X}\nb: 1\nb: 2\nc: ${Y}")
    assert [problem[:5] for problem in problems] == ["f:1: ", "f:3: ", "f:4: "]


def test_variables_are_remembered() -> None:
    """A value knows the variables that it was built from."""
    problems = Problems(Path("f"))
    root = parse("[a, '${A}${B:-x}']", {"A": "1"}, problems)
    assert root == Items(1, (Scalar(1, "a", "a"), Scalar(1, "1x", "1x", ("A", "B"))))


@pytest.mark.parametrize("text", ["a: *s3cret", "a: &s3cret", "[s3cret", "s3cret\nb: c", "a: !s3cret!x y", "'s3cret"])
def test_syntax_errors_show_nothing_of_the_file(text: str) -> None:
    """Any part of a broken file may be an API key."""
    _, problems = parsed(text + "\nb: [")
    assert problems
    assert "s3cret" not in "".join(problems)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_environment_values_stay_one_value(value: str) -> None:
    """No value can add structure: in quotes it is text, completely."""
    assert parsed('a: "${V}"\nb: 1', V=value) == ({"a": value, "b": 1}, ())


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_parsed_or_reported(text: str) -> None:
    """Every file gives a tree or a problem, never another exception."""
    value, problems = parsed(text)
    assert problems or value is not Broken
