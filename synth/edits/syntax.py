"""Whether a file's text parses, by its extension. Pure."""

import ast
import json
import tomllib
import warnings
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from threading import Lock

import yaml

_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_PROBLEM_CHARS = 120
_WARNING_FILTERS = Lock()  # they are the process's own; two threads that change and restore them would mix them up


def parsing_problem(path: str, text: str) -> str | None:
    """Return where a file does not parse as what its name says, None where it does or nothing here knows.

    Syntax is all that is checked, and that of this interpreter for Python: a YAML tag may mean anything.
    """
    language = _LANGUAGES.get(PurePosixPath(path).suffix.lower())
    return None if language is None else problem_in(language, text)


def problem_in(language: str, text: str) -> str | None:
    """Return where a text does not parse as Python, JSON, YAML or TOML; None for any other language."""
    check = _CHECKS.get(language.lower())
    problem = None if check is None else check(text)
    return None if problem is None else f"{language.lower()} does not parse: {problem}"[:_MAX_PROBLEM_CHARS]


def python_tree(text: str) -> ast.Module:
    """Return the syntax tree of a Python text; SyntaxError where it has none."""
    with _WARNING_FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an odd escape sequence is no finding
        try:
            return ast.parse(text)
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(str(error) or "it is nested too deeply") from error


def _python(text: str) -> str | None:
    try:
        python_tree(text)
    except SyntaxError as error:
        return error.msg if error.lineno is None else f"line {error.lineno}: {error.msg}"
    return None


def _json(text: str) -> str | None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError) as error:
        return str(error)
    return None


def _yaml(text: str) -> str | None:
    try:
        for _ in yaml.compose_all(text, _SafeLoader):
            pass
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        return f"{where}{error.problem}"
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return str(error)
    return None


def _toml(text: str) -> str | None:
    try:
        tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return str(error)
    return None


_LANGUAGES = {
    ".py": "python",
    ".pyi": "python",
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
}
_CHECKS: Mapping[str, Callable[[str], str | None]] = {
    "python": _python,
    "py": _python,
    "python3": _python,
    "json": _json,
    "yaml": _yaml,
    "yml": _yaml,
    "toml": _toml,
}
