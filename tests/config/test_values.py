"""Readers of single values: accepted texts and their values. Refused ones are in test_problems.py."""

from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import values
from config.reader import InvalidValue, Names, Place, Reader
from config.settings import Secret
from config.source.document import parse
from config.source.problems import Problems

T = TypeVar("T")


def place(text: str, names: Names | None = None, **environ: str) -> Place:
    problems = Problems(Path("config.yaml"))
    return Place(parse(text, environ, problems), "key", problems, names or Names())


def read(reader: Reader[T], text: str, **environ: str) -> T:
    """Return a reader's value of a valid YAML text."""
    found = place(text, None, **environ)
    value = reader(found)
    assert found.problems.messages() == ()
    return value


def _problems(reader: Reader[Any], text: str) -> list[str]:
    found = place(text)
    reader(found)
    return [message.partition(": ")[2] for message in found.problems.messages()]


@settings(max_examples=50)
@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}", fullmatch=True).map(lambda name: f"'{name}'"))
def test_a_name_is_kept_as_it_is(text: str) -> None:
    """Names are what clients send, byte for byte."""
    assert read(values.new_model_name, text) == text.strip("'")


@pytest.mark.parametrize("text", ["' a'", "-a", "a b", "é", "'a\u2028'", f"'{'a' * 129}'"])
def test_a_name_of_another_form_is_refused(text: str) -> None:
    """The message has the rule."""
    with pytest.raises(InvalidValue, match="at most 128"):
        values.new_model_name(place(text))


def test_names_are_unique_among_all() -> None:
    """Models, mixtures and aliases share one namespace, since clients write all of them under `model`."""
    names = Names()
    assert values.new_model_name(place("a", names)) == "a"
    assert values.new_mixture_name(place("b", names)) == "b"
    assert values.alias_name("c-*", place("a", names)) == "c-*"
    for define in (values.new_model_name, values.new_mixture_name):
        for taken in ("a", "b"):
            with pytest.raises(InvalidValue, match="already the name of key"):
                define(place(taken, names))
    with pytest.raises(InvalidValue, match="which an alias cannot replace"):
        values.alias_name("a", place("b", names))


def test_a_reference_is_checked_against_the_models() -> None:
    """A typo gets a suggestion; a value from the environment is not shown."""
    names = Names()
    values.new_model_name(place("coder", names))
    assert values.model_reference(place("coder", names)) == "coder"
    with pytest.raises(InvalidValue, match=r"did you mean coder\?"):
        values.model_reference(place("codr", names))
    with pytest.raises(InvalidValue) as caught:
        values.model_reference(place("${A}", names, A="s3cret"))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(("text", "source"), [("sk-1", "config.yaml:1"), ("'${K}'", "K"), ("'${A}${B}'", "A, B")])
def test_a_key_has_its_source(text: str, source: str) -> None:
    """So that messages can name the variable instead of the value."""
    key = read(values.api_key, text, K="sk-1", A="sk", B="-1")
    assert (key.value, key.source) == ("sk-1", source)
    assert "sk-1" not in repr(key)


def test_blanks_around_a_key_are_removed() -> None:
    """Secret stores add a line end."""
    assert read(values.api_key, "'${K}'", K="  sk-1\n").value == "sk-1"


def test_header_fields_and_variables_are_secrets() -> None:
    """Many of them are keys."""
    fields = read(values.headers, "{X-Key: '${K}', X-Empty: ''}", K="s3cret")
    assert {name: secret.value for name, secret in fields.items()} == {"X-Key": "s3cret", "X-Empty": ""}
    variables = read(values.environment, "{TOKEN: '${K}'}", K="s3cret")
    assert all(isinstance(secret, Secret) for secret in (*fields.values(), *variables.values()))
    assert "s3cret" not in repr((fields, variables))


@pytest.mark.parametrize(
    ("reader", "text", "problem"),
    [
        (values.headers, "{X-A: x, x-a: y}", "key.x-a: is set twice; upper and lower case are the same name"),
        (values.headers, "{Upgrade: x}", "key.Upgrade: is a connection header, which the gateway sets itself"),
        (values.headers, "{a b: x}", "key.(a key that is not shown): is not a header name"),
        (values.environment, "{1A: x}", "key.1A: is not a name of an environment variable"),
        (values.environment, '{A: "a\\0b"}', "key.A: must not have a NUL character"),
        (values.renames, "{a: a}", "key.a: must have another name than before"),
        (values.renames, "{a: c, b: c}", "key.b: must not give two parameters the same name"),
        (
            values.params,
            "{stream: true}",
            "key.stream: must not be set here: the gateway decides whether a call streams",
        ),
        (values.regular_expression, "'('", "key: must be a regular expression: missing ), unterminated subpattern"),
    ],
)
def test_one_wrong_entry_is_reported_and_the_rest_is_read(reader: Reader[Any], text: str, problem: str) -> None:
    """So that one start shows all mistakes."""
    assert _problems(reader, text) == [problem]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://h", "http://h"),
        ("https://h:8443/v1/", "https://h:8443/v1"),
        ("http://[::1]:11434/v1", "http://[::1]:11434/v1"),
        ("https://h/openai/deployments/x", "https://h/openai/deployments/x"),
    ],
)
def test_a_base_url_has_no_slash_at_its_end(text: str, url: str) -> None:
    """Because a path is appended."""
    assert read(values.base_url, f"'{text}'") == url


@pytest.mark.parametrize("text", ["ftp://h", "h/v1", "http://u:s3cret@h", "http://h/?key=s3cret", "http://h s3cret"])
def test_a_refused_url_is_not_shown(text: str) -> None:
    """It may contain a password."""
    with pytest.raises(InvalidValue) as caught:
        values.base_url(place(f"'{text}'"))
    assert "s3cret" not in str(caught.value)


@settings(max_examples=50)
@given(st.text(st.characters(codec="ascii", exclude_characters="'$"), max_size=20))
def test_any_text_is_a_url_or_is_refused(text: str) -> None:
    """Never a crash at the start."""
    try:
        url = values.base_url(place("'http://" + text.replace("\n", "\\n") + "'"))
    except InvalidValue:
        return
    assert url.startswith("http://")


@pytest.mark.parametrize(
    ("url", "host", "port", "is_same"),
    [
        ("http://127.0.0.1:8000/v1", "127.0.0.1", 8000, True),
        ("http://localhost:8000", "127.0.0.1", 8000, True),
        ("http://localhost.:8000", "0.0.0.0", 8000, True),
        ("http://[::1]:8000", "localhost", 8000, True),
        ("http://example.com", "EXAMPLE.com", 80, True),
        ("https://example.com", "example.com", 443, True),
        ("http://127.0.0.1:8001", "127.0.0.1", 8000, False),
        ("http://example.com:8000", "127.0.0.1", 8000, False),
        ("http://127.0.0.1:8000", "127.0.0.1", 0, False),
    ],
)
def test_the_gateways_own_address_is_recognised(url: str, host: str, port: int, is_same: bool) -> None:
    """However this machine is called: a gateway that calls itself never answers."""
    assert values.is_same_address(url, host, port) is is_same


@pytest.mark.parametrize(("text", "multiple"), [("0.5x", 0.5), ("2x", 2.0), ("10.25x", 10.25)])
def test_a_multiple_ends_in_x(text: str, multiple: float) -> None:
    """So that it cannot be taken for seconds."""
    assert read(values.multiple, text) == multiple


@pytest.mark.parametrize("text", ["0.5", "x", "-1x", "1e3x", "1 x", "0.5X"])
def test_no_other_form_is_a_multiple(text: str) -> None:
    """The message shows the form."""
    with pytest.raises(InvalidValue, match=r"such as 0\.5x or 2x"):
        values.multiple(place(text))


@settings(max_examples=50)
@given(st.decimals("0.001", "10000", places=3))
def test_money_has_the_digits_of_the_file(amount: Decimal) -> None:
    """Not those of a binary fraction."""
    assert read(values.money(least=0.0), str(amount)) == amount


def test_parameters_are_json() -> None:
    """Of any depth; a null is kept, because it means that the parameter is left out."""
    text = "{top_k: 3, stop: [a, b], logit_bias: {50256: -100}, seed: null, strict: true}"
    assert read(values.params, text) == {
        "top_k": 3,
        "stop": ["a", "b"],
        "logit_bias": {"50256": -100},
        "seed": None,
        "strict": True,
    }
    assert len(_problems(values.params, "{a: .inf, b: [.nan]}")) == 2


@pytest.mark.parametrize("name", ["model", "messages", "stream"])
def test_parameters_of_the_gateway_are_not_dropped(name: str) -> None:
    """`n` may be: some upstreams refuse it even as 1."""
    with pytest.raises(InvalidValue, match=f"must not be {name}: "):
        values.param_name(place(name))
    assert read(values.param_name, "'n'") == "n"
    assert read(values.renames, "{max_tokens: max_completion_tokens}") == {"max_tokens": "max_completion_tokens"}


def test_a_critics_prompt_contains_the_candidates() -> None:
    """Without them the critic would answer alone."""
    assert read(values.critic_prompt, "'Pick: {candidates}'") == "Pick: {candidates}"
    with pytest.raises(InvalidValue, match=r"must contain \{candidates\}"):
        values.critic_prompt(place("'Pick: {candidate}'"))


def test_the_url_of_a_store_is_a_secret() -> None:
    """It may contain a password, from the environment or not."""
    url = read(values.store_url, "rediss://:${PASSWORD}@h:1/2", PASSWORD="geheim")
    assert url == Secret("rediss://:geheim@h:1/2", "PASSWORD")


@pytest.mark.parametrize(
    "url", ["http://geheim@h", "redis://", "redis://:geheim@h:x", "'redis://geheim h'", "[geheim]"]
)
def test_a_wrong_url_of_a_store_is_not_shown(url: str) -> None:
    """The message says only what the URL must be."""
    with pytest.raises(InvalidValue) as refused:
        values.store_url(place(url))
    assert "geheim" not in str(refused.value)
