"""`${VAR}` in one text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.source.substitution import substitute

VARIABLES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,10}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
WITHOUT_DOLLAR = st.text(st.characters(exclude_characters="$"))
DEFAULTS = st.text(st.characters(exclude_characters="{}", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "one"),
        ("<${A}|${B}>", "<one|two words>"),
        ("${A}${A}", "oneone"),
        ("${EMPTY}", ""),
        ("${EMPTY:-x}", "x"),
        ("${NONE:-x}", "x"),
        ("${NONE:-}", ""),
        ("${NONE:-a:-b $ c}", "a:-b $ c"),
        ("${A:-x}", "one"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$A $ $$ {A} $", "$A $ $$ {A} $"),
        ("${DOLLAR}", "${A}"),
    ],
)
def test_references_are_replaced_by_values(text: str, expected: str) -> None:
    """Values, defaults and escapes; inserted text is not scanned again."""
    environ = {"A": "one", "B": "two words", "EMPTY": "", "DOLLAR": "${A}"}
    assert substitute(text, environ).text == expected


@pytest.mark.parametrize("text", ["${", "${}", "${1A}", "${A", "${A-x}", "${A:x}", "${A:-${B}}", "${A B}", "x${a.b}"])
def test_malformed_references_are_reported(text: str) -> None:
    """A malformed reference is a problem with a remedy, never literal text."""
    (problem,) = substitute(text, {"A": "one", "B": "two"}).problems
    assert "write $${ for a literal ${" in problem


def test_each_missing_variable_is_reported_once() -> None:
    """Each missing variable is named with the remedy."""
    result = substitute("${A} ${B} ${A}", {})
    assert [problem.split(":")[0] for problem in result.problems] == ["${A} is not set", "${B} is not set"]
    assert "set A in the environment or in .env, or write ${A:-default}" in result.problems[0]


def test_undecodable_values_are_refused() -> None:
    """Otherwise an environment value that is not UTF-8 would break the first request."""
    (problem,) = substitute("${A}", {"A": "secret\udcff"}).problems
    assert problem == "the value of ${A} is not UTF-8"


@given(WITHOUT_DOLLAR)
def test_text_without_dollar_is_unchanged(text: str) -> None:
    """Only a dollar sign has a meaning."""
    result = substitute(text, {})
    assert (result.text, result.variables, result.problems) == (text, (), ())


@given(TEXTS)
def test_every_text_can_be_escaped(text: str) -> None:
    """`$${` for each `${` restores the text."""
    result = substitute(text.replace("${", "$${"), {})
    assert (result.text, result.problems) == (text, ())


@given(VARIABLES, TEXTS, WITHOUT_DOLLAR, WITHOUT_DOLLAR)
def test_values_are_put_in_as_they_are(variable: str, value: str, before: str, after: str) -> None:
    """An inserted value is not scanned again, whatever it contains."""
    result = substitute(f"{before}${{{variable}}}{after}", {variable: value})
    assert (result.text, result.variables) == (before + value + after, (variable,))


@given(VARIABLES, DEFAULTS, st.sampled_from([{}, {"": "x"}, None]))
def test_defaults_stand_in_for_unset_and_empty(variable: str, default: str, environ: dict[str, str] | None) -> None:
    """`:-` covers both, as in shells."""
    result = substitute(f"${{{variable}:-{default}}}", {variable: ""} if environ is None else environ)
    assert (result.text, result.problems) == (default, ())


@given(TEXTS, st.dictionaries(VARIABLES, TEXTS.map(lambda text: f"s3cret{text}")))
def test_problems_never_repeat_a_value(text: str, environ: dict[str, str]) -> None:
    """No problem shows a value of the environment."""
    references = " ".join(f"${{{variable}" for variable in environ)
    assert "s3cret" not in "".join(substitute(text + references + "${", environ).problems)
