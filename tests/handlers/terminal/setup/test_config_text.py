"""The texts of config.yaml and .env."""

import io
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st

from config import load
from config.settings import Price
from handlers.terminal.setup.choice import _USABLE_ID
from handlers.terminal.setup.config_text import (
    Member,
    choose_names,
    describe_price,
    find_price,
    merge_env,
    render_config,
    render_embedded,
)

ODD = ("true", "null", "1.5", "0x10", "~", "a:b", "a@b/c+d", "No", "-")


def test_odd_ids_stay_texts(tmp_path: Path) -> None:
    """YAML reads no booleans, numbers or mappings into them."""
    names = [f"m{n}" for n in range(len(ODD))]
    members = [
        Member(name, "ollama", each, "http://127.0.0.1:1/v1", None) for name, each in zip(names, ODD, strict=True)
    ]
    path = tmp_path / "config.yaml"
    path.write_text(render_config(members, names, names[:1], heading="one\ntwo"))
    assert [model.model for model in load(path, {}).models] == list(ODD)


@given(
    st.lists(st.from_regex(_USABLE_ID, fullmatch=True), min_size=1, max_size=4, unique=True),
    st.sampled_from(["ollama", "lmstudio"]),
)
@settings(max_examples=60, deadline=None)
def test_any_id_that_may_be_proposed_makes_a_valid_file(ids: list[str], provider: str) -> None:
    """The models that are read are those that were written."""
    names = choose_names([(provider, each) for each in ids])
    members = [
        Member(name, provider, each, "http://127.0.0.1:1/v1", None) for name, each in zip(names, ids, strict=True)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(render_config(members, names, names[:2], heading="one"))
        assert [(model.name, model.model) for model in load(path, {}).models] == list(zip(names, ids, strict=True))


@pytest.mark.parametrize(("name", "n_aliases"), [("gpt-4.1", 0), ("gpt-5", 1)])
def test_an_alias_does_not_hide_a_model(tmp_path: Path, name: str, n_aliases: int) -> None:
    """A model that has the name itself is asked by it."""
    path = tmp_path / "config.yaml"
    member = Member(name, "ollama", name, "http://127.0.0.1:1/v1", None)
    path.write_text(render_config([member], [name], [name], heading="one"))
    assert len(load(path, {}).aliases) == n_aliases


def test_the_embedded_configuration_is_valid(tmp_path: Path) -> None:
    """And begins with the heading as a comment."""
    path = tmp_path / "config.yaml"
    path.write_text(render_embedded(heading="one\ntwo"))
    assert path.read_text().startswith("# one\n# two\n")
    assert load(path, {}).mixtures[0].name == "mom"


def test_names_are_short_and_unique() -> None:
    """None is that of a provider or of the mixture, which would mean something else."""
    pairs = [("openrouter", "x/mom"), ("openrouter", "openai/gpt-5"), ("openai", "gpt-5"), ("groq", "openai")]
    assert choose_names(pairs) == ["openrouter-mom", "gpt-5", "openai-gpt-5", "groq-openai"]


def test_a_price_has_its_source() -> None:
    """The provider's own list comes before the table; an unknown model has none."""
    stated = Price(Decimal(1), Decimal(2))
    assert find_price("openai", "gpt-5.4", stated, "2026-11-30") == (
        stated,
        "list price of 2026-11-30, from openai's list of models",
    )
    price, note = find_price("openai", "gpt-5.4", None, "2026-11-30")
    assert price is not None
    assert note.startswith("list price of 2026-06, https://")
    assert find_price("openai", "unknown", None, "2026-11-30") == (None, "")


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (Price(Decimal("3.0"), Decimal("15.00")), "3 in, 15 out"),
        (Price(Decimal("0.075"), Decimal(100)), "0.075 in, 100 out"),
        (Price(Decimal(0), Decimal("1E-7")), "0 in, 0.0000001 out"),
        (None, "unknown"),
    ],
)
def test_a_price_is_described(price: Price | None, words: str) -> None:
    """Without zeros that say nothing, and without exponents."""
    assert describe_price(price) == words


@pytest.mark.parametrize("key", ["sk-1", "a'b", 'a"b', "a\\b", "a$b", "a#b", "=x=", "p ss"])
def test_a_key_survives_the_env_file(key: str) -> None:
    """Byte for byte, whatever quotes and signs it has."""
    text = merge_env("", {}, {"KEY": key}, replace=False)
    assert dotenv_values(stream=io.StringIO(text), interpolate=True) == {"KEY": key}


@pytest.mark.parametrize(("replace", "expected"), [(False, "A=1\nX=1\nB=new\n"), (True, "X=1\nA=new\nB=new\n")])
def test_variables_that_are_there(replace: bool, expected: str) -> None:
    """Values are kept unless they are to be replaced; an empty one is a missing one."""
    present = {"A": "1", "B": "", "X": "1"}
    assert merge_env("A=1\nB=\nX=1\n", present, {"A": "new", "B": "new"}, replace=replace) == expected
