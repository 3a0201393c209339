"""Substitution of `${VAR}` in one scalar: a pure function of a text and an environment."""

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
    """A text after substitution, the variables that it uses in order, and its problems.

    `text` must not be used if there are `problems`. No problem shows a variable's value.
    """

    text: str
    variables: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def substitute(text: str, environ: Mapping[str, str]) -> Substituted:
    """Replace every `${VAR}` and `${VAR:-default}` in `text`; `$${` is a literal `${`.

    As in shells, the default is used if the variable is unset or empty. Inserted text is not scanned again, so a value
    or default that contains a `$` stays as it is. A single `$` is literal.
    """
    variables: dict[str, None] = {}
    problems: dict[str, None] = {}

    def look_up(match: re.Match[str]) -> str:
        if match["literal"]:
            return "${"
        variable = match["variable"]
        if variable is None:
            problems["has a ${ that is neither ${VAR} nor ${VAR:-default}: write $${ for a literal ${"] = None
            return ""
        variables[variable] = None
        found = environ.get(variable)
        if match["default"] is not None and not found:
            return match["default"]
        if found is None:
            problems[_describe_missing(variable)] = None
            return ""
        if not _is_unicode(found):
            problems[f"the value of ${{{variable}}} is not UTF-8"] = None
            return ""
        return found

    result = _REFERENCE.sub(look_up, text)
    return Substituted(result, tuple(variables), tuple(problems))


def _describe_missing(variable: str) -> str:
    return (
        f"${{{variable}}} is not set: set {variable} in the environment or in .env, or write ${{{variable}:-default}}"
    )


def _is_unicode(value: str) -> bool:
    """Whether an environment value could be decoded; `os.environ` keeps invalid bytes as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
