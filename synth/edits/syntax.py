"""Check the syntax of a file by its extension. Pure."""

import ast
import json
import tomllib
import warnings
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from threading import Lock

import yaml

from runtime.budget import Budget

MAX_CHECKED_CHARS = 300_000
"""Longer files are not checked."""

_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_PROBLEM_CHARS = 120
_OPERATORS = ",[({<>=+-*/%&|^~@:."
_MAX_DOTS = 50
_MAX_FLOW_DEPTH = 64
_MAX_DIRECTIVES = 64
_WARNING_FILTERS = Lock()  # global to the process: two threads must not save and restore them at once


# Strategy. The parsers are C code or the standard library's, and foreign text can stall them, or worse. Each is made
# safe in its own way, by a scan of the text in linear time; a text that fails the scan counts as not checked:
# - Python: the parser bounds its own recursion, but joins a dotted name in quadratic time. Few dots on a line.
# - JSON: the scanner bounds its own recursion, and is linear.
# - YAML: building nodes recurses in C without a bound, and a file of 30 kB ends the process. Only events are read, of
#   which none nests. The scanner looks at each open bracket for each token, and at each directive for each other one.
# - TOML: tables nest in Python, which bounds recursion; a dotted key of n parts takes n² steps. Few dots on a line.
# The rest is linear, at the costs below, which were measured with the worst known texts.
def file_syntax_error(path: str, text: str, budget: Budget) -> str | None:
    """Return the first syntax error of a file, or None if it parses, is too complex, or its language is unknown here.

    Only syntax is checked, for Python that of this interpreter; a YAML tag may mean anything.
    """
    language = _LANGUAGES.get(PurePosixPath(path).suffix.lower())
    return None if language is None else syntax_error_in(language, text, budget)


def syntax_error_in(language: str, text: str, budget: Budget) -> str | None:
    """Return the first syntax error of a text in Python, JSON, YAML or TOML, or None for any other language."""
    check = _CHECKS.get(language.lower())
    if check is None or len(text) > MAX_CHECKED_CHARS:
        return None
    budget.spend(_estimate_steps(check, text))
    problem = check(text)
    return None if problem is None else f"{language.lower()} does not parse: {problem}"[:_MAX_PROBLEM_CHARS]


def _estimate_steps(check: Callable[[str], str | None], text: str) -> int:
    """Return how many steps a check takes: an upper bound for the worst known texts, and near it for others."""
    if check is not _check_python:
        return _STEPS_PER_CHAR[check] * len(text)
    # The cost is the number of nodes in the tree: ordinary code has one per ten characters, `a;a;a;…` one for each.
    n_statements = text.count(";") + text.count("\n")
    n_operators = sum(map(text.count, _OPERATORS))
    return len(text) // 8 + 7 * n_statements + 4 * n_operators + 2 * len(text.split())


def parse_python(text: str) -> ast.Module | None:
    """Return the syntax tree of a Python text, or None if it is too complex to be parsed. Raises SyntaxError."""
    if _has_dotted_line(text.replace("\\\n", "").replace("\\\r\n", "")):
        return None
    with _WARNING_FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an odd escape sequence is not a finding
        try:
            return ast.parse(text)
        except ValueError as error:  # a null byte
            raise SyntaxError(str(error)) from error
        except (RecursionError, MemoryError, SystemError):
            return None


def parse_python_or_none(text: str) -> ast.Module | None:
    """Return the syntax tree of a Python text, or None if it does not parse or is too complex to be parsed."""
    try:
        return parse_python(text)
    except SyntaxError:
        return None


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
    except RecursionError:
        return "it is nested too deeply"
    except ValueError:  # a number of too many digits
        return None
    return None


def _check_yaml(text: str) -> str | None:
    if _exceeds_flow_depth(text) or text.count("%TAG") > _MAX_DIRECTIVES:
        return None
    anchors: set[str] = set()
    try:
        for event in yaml.parse(text, _SafeLoader):
            if isinstance(event, yaml.DocumentStartEvent):
                anchors.clear()
            elif isinstance(event, yaml.AliasEvent) and event.anchor not in anchors:
                mark = event.start_mark
                return "found undefined alias" if mark is None else f"line {mark.line + 1}: found undefined alias"
            elif anchor := getattr(event, "anchor", None):
                anchors.add(anchor)
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        return f"{where}{error.problem}"
    except (yaml.YAMLError, ValueError) as error:
        return str(error)
    return None


def _exceeds_flow_depth(text: str) -> bool:
    """Whether brackets may nest too deeply; those in strings and comments count too."""
    if text.count("[") + text.count("{") <= _MAX_FLOW_DEPTH:
        return False
    depth = 0
    for char in text:
        if char in "[{":
            depth += 1
            if depth > _MAX_FLOW_DEPTH:
                return True
        elif char in "]}" and depth:
            depth -= 1
    return False


def _check_toml(text: str) -> str | None:
    if _has_dotted_line(text):
        return None
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return str(error)
    except (ValueError, RecursionError):  # a number of too many digits; nested too deeply
        return None
    return None


def _has_dotted_line(text: str) -> bool:
    """Whether a line has more dots than a name should have parts."""
    return text.count(".") > _MAX_DOTS and any(line.count(".") > _MAX_DOTS for line in text.splitlines())


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
_STEPS_PER_CHAR: Mapping[Callable[[str], str | None], int] = {_check_json: 1, _check_yaml: 2, _check_toml: 4}
