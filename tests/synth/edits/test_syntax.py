"""The syntax of files."""

import pytest

from runtime.budget import Budget
from synth.edits.syntax import file_syntax_error, parse_python, syntax_error_in

STEPS = 10_000_000


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("a.py", "x = (\n", "python does not parse: line 1"),
        ("a.PY", "x = 1\n", None),
        ("a.py", "\0", "python does not parse"),
        ("a.py", 'x = "\\d"\n', None),
        ("a.json", "{]", "json does not parse: line 1"),
        ("a.json", "[" * 100_000, "json does not parse: it is nested too deeply"),
        ("a.yaml", "a: [\n", "yaml does not parse: line 2"),
        ("a.yml", "a: *b\n", "yaml does not parse: line 1: found undefined alias"),
        ("a.yml", "a: &b 1\nc: *b\n", None),
        ("a.yml", "&b 1\n---\n*b\n", "yaml does not parse: line 3"),
        ("a.yaml", "a: !custom 1\n---\nb: 2\n", None),
        ("a.yaml", "a: \x01", "yaml does not parse"),
        ("a.toml", "a = \n", "toml does not parse"),
        ("a.toml", "[a.b]\nc = 1.5\n", None),
        ("a.txt", "{[(", None),
        ("yaml", "[", None),
    ],
)
def test_a_syntax_error_is_found_by_the_extension(path: str, text: str, problem: str | None) -> None:
    """With its line, if the language is known."""
    found = file_syntax_error(path, text, Budget(STEPS))
    assert found is None if problem is None else str(found).startswith(problem)


# Each of these stalled, crashed or killed one of the parsers, or comes close to what did.
HOSTILE = [
    ("yaml", "a: " + "[" * 30_000),
    ("yaml", "{" * 30_000),
    ("yaml", "[" * 5_000 + "a," * 50_000),
    ("yaml", "- " * 50_000),
    ("yaml", "? " * 50_000),
    ("yaml", "".join(" " * depth + "a:\n" for depth in range(700))),
    ("yaml", "".join(f"%TAG !a{n}! b\n" for n in range(15_000)) + "--- a"),
    ("yaml", "".join(f"- &a{n} x\n- *a{n}\n" for n in range(10_000))),
    ("toml", "a" + ".a" * 16_000 + " = 1"),
    ("toml", "[" + "a." * 16_000 + "a]\nb = 1"),
    ("toml", "a = " + "[" * 30_000),
    ("toml", "a = " + "{a = " * 30_000),
    ("toml", "a = " + "1" * 5_000),
    ("toml", "a = 2000-02-30"),
    ("json", '{"a":' * 50_000),
    ("json", "1" * 5_000),
    ("python", "-" * 100_000 + "1"),
    ("python", "a" + ".a" * 100_000),
    ("python", "import " + "a." * 100_000 + "a"),
    ("python", "import " + "a.\\\n" * 50_000 + "a"),
    ("python", "1" + "+1" * 100_000),
    ("python", "(" * 100_000),
    ("python", "if a: b\n" + "elif a: b\n" * 20_000),
    ("python", "".join(" " * depth + "if 1:\n" for depth in range(700))),
    ("python", "x = " + "1" * 5_000),
    ("python", "x = '\ud800'"),
]


@pytest.mark.parametrize(("language", "text"), HOSTILE)
def test_no_text_stalls_or_kills_a_parser(language: str, text: str) -> None:
    """It has a syntax error, or it is not checked; the process lives, and the test ends."""
    assert syntax_error_in(language, text, Budget(STEPS)) is None or "does not parse" in str(
        syntax_error_in(language, text, Budget(STEPS))
    )


def test_long_files_are_not_checked() -> None:
    """Checking them would take too long."""
    assert syntax_error_in("json", "{" * 1_000_000, Budget(1)) is None


def test_a_deep_tree_is_no_syntax_error() -> None:
    """A parser with a larger stack may take it."""
    assert parse_python("a" + ".a" * 40) is not None
    assert parse_python("-" * 100_000 + "1") is None
    with pytest.raises(SyntaxError):
        parse_python("1 +")
