"""`${VAR}` in one scalar: a pure function from a text and an environment to a text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_REFERENCE = re.compile(
    r"""
    (?P<literal>\$\$\{)
    | \$\{ (?P<variable>[A-Za-z_][A-Za-z0-9_]*) (?: :- (?P<default>[^{}]*) )? \}
    | (?P<malformed>\$\{)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Substituted:
    """A text after substitution, the variables that it names in order, and what is wrong with it.

    Where there are `problems`, `text` is of no use. No problem repeats a variable's value.
    """

    text: str
    variables: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def substitute(text: str, environ: Mapping[str, str]) -> Substituted:
    """Replace every `${VAR}` and `${VAR:-default}` in `text`; `$${` stands for a literal `${`.

    The default takes the place of a variable that is unset or empty, as in shells. What is put in is not read
    again: a value or default with a `$` in it stays as it is. A lone `$` means itself.
    """
    variables: dict[str, None] = {}
    problems: dict[str, None] = {}

    def value(match: re.Match[str]) -> str:
        if match["literal"]:
            return "${"
        variable = match["variable"]
        if variable is None:
            problems["has a ${ that is no ${VAR} or ${VAR:-default}: write $${ for a literal ${"] = None
            return ""
        variables[variable] = None
        found = environ.get(variable)
        if match["default"] is not None and not found:
            return match["default"]
        if found is None:
            problems[_missing(variable)] = None
            return ""
        if not _is_unicode(found):
            problems[f"the value of ${{{variable}}} is not UTF-8"] = None
            return ""
        return found

    result = _REFERENCE.sub(value, text)
    return Substituted(result, tuple(variables), tuple(problems))


def _missing(variable: str) -> str:
    return (
        f"${{{variable}}} is not set: set {variable} in the environment or in .env, or write ${{{variable}:-default}}"
    )


def _is_unicode(value: str) -> bool:
    """Tell whether an environment value was decodable; `os.environ` keeps stray bytes as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
