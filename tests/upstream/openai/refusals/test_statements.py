"""Error replies of every shape, read into statements."""

import json
from typing import Any

import pytest

from tests.upstream.openai.refusals.cases import UNSUPPORTED, detail, openai
from upstream.openai.refusals.statements import Statement, read_statements, split_path

WORDS = UNSUPPORTED.format("seed")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (WORDS, [Statement(WORDS)]),
        (openai(WORDS), [Statement(WORDS)]),
        (openai(WORDS, "seed", "unsupported_parameter"), [Statement(WORDS, "unsupported_parameter", ("seed",))]),
        ({"message": json.dumps({"error": {"message": WORDS}})}, [Statement(WORDS)]),
        (
            detail("messages", 0, "name", msg="Extra inputs are not permitted"),
            [Statement("Extra inputs are not permitted", "extra_forbidden", ("messages", "0", "name"))],
        ),
        ("[{'loc': ('body', 'seed'), 'msg': 'x'}]", [("seed",), ()]),
        ([], []),
        (7, []),
    ],
)
def test_statements_have_their_words_code_and_path(body: Any, expected: list[Any]) -> None:
    """Also inside the text of a relay, and in Python's notation."""
    read = read_statements(body)
    paths_only = any(isinstance(each, tuple) for each in expected)
    assert ([each.path for each in read] if paths_only else read) == expected


def test_reading_is_bounded() -> None:
    """In the number of statements, their length, and the depth of what holds them."""
    assert len(read_statements([f"{n} is not supported" for n in range(1_000)])) == 40
    assert len(read_statements([WORDS] * 1_000)) == 1
    assert sum(len(each.words) for each in read_statements([str(n) * 900 for n in range(9)])) <= 8_000
    assert read_statements([{"a": 1}] * 100_000) == []
    (long,) = read_statements("seed " * 10_000)
    assert len(long.words) == 2_000
    deep: Any = WORDS
    for _ in range(20):
        deep = [deep]
    assert read_statements(deep) == []


@pytest.mark.parametrize(
    ("statement", "refuses"),
    [
        (Statement(WORDS), True),
        (Statement("", "unsupported_parameter"), True),
        (Statement("seed is not supported: out of range"), False),
        (Statement("seed is required, and not supported without a value"), False),
        (Statement("seed"), False),
    ],
)
def test_only_certain_words_are_a_refusal(statement: Statement, refuses: bool) -> None:
    """A word about a value or about something missing takes the certainty away."""
    assert statement.refuses is refuses


@pytest.mark.parametrize(
    ("param", "path"),
    [("messages[0].role", ("messages", "0", "role")), ("body/seed", ("seed",)), ("seed", ("seed",)), ("", ())],
)
def test_a_path_is_split(param: str, path: tuple[str, ...]) -> None:
    """In the notations of Python, JSON Pointer and JavaScript."""
    assert split_path(param) == path
