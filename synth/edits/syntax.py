"""Check the syntax of a file by its extension. Pure."""

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
_WARNING_FILTERS = Lock()  # global to the process: two threads must not save and restore them at once


def file_syntax_error(path: str, text: str) -> str | None:
    """Return the first syntax error of a file, or None if it parses or its language is unknown here.

    Only syntax is checked, for Python that of this interpreter; a YAML tag may mean anything.
    """
    language = _LANGUAGES.get(PurePosixPath(path).suffix.lower())
    return None if language is None else syntax_error_in(language, text)


def syntax_error_in(language: str, text: str) -> str | None:
    """Return the first syntax error of a text in Python, JSON, YAML or TOML; None for any other language."""
    check = _CHECKS.get(language.lower())
    problem = None if check is None else check(text)
    return None if problem is None else f"{language.lower()} does not parse: {problem}"[:_MAX_PROBLEM_CHARS]


def parse_python(text: str) -> ast.Module:
    """Return the syntax tree of a Python text; SyntaxError if it does not parse."""
    with _WARNING_FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an odd escape sequence is not a finding
        try:
            return ast.parse(text)
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(str(error) or "it is nested too deeply") from error


def _check_python(text: str) -> str | None:
    try:
        parse_python(text)
    except SyntaxError as error:
        return error.msg if error.lineno is None else f"line {error.lineno}: {error.msg}"
    return None


def _check_json(text: str) -> str | None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError) as error:
        return str(error)
    return None


def _check_yaml(text: str) -> str | None:
    try:
        for _ in yaml.compose_all(text, _SafeLoader):
            pass
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        return f"{where}{error.problem}"
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return str(error)
    return None


def _check_toml(text: str) -> str | None:
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
    "python": _check_python,
    "py": _check_python,
    "python3": _check_python,
    "json": _check_json,
    "yaml": _check_yaml,
    "yml": _check_yaml,
    "toml": _check_toml,
}
