"""docs/configuration.md agrees with the code."""

import re
from pathlib import Path

import pytest

from config.providers import PROVIDERS, WEIGHT_NAMES
from config.schema import TABLES
from config.settings import Mixture, Model, Server, Weights
from tests.config.loading import settings_of

PAGE = Path(__file__).parents[2].joinpath("docs", "configuration.md").read_text(encoding="utf-8")
COMPLETE = re.findall(r"^```yaml complete ?(.*)\n([\s\S]*?)^```", PAGE, re.MULTILINE)
ROWS: dict[str, str] = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \|", PAGE, re.MULTILINE))


def test_there_are_complete_examples() -> None:
    """The page has the shortest file, client keys, spending limits, and three larger examples."""
    assert len(COMPLETE) == 6


@pytest.mark.parametrize(("variables", "text"), COMPLETE)
def test_complete_examples_load(tmp_path: Path, variables: str, text: str) -> None:
    """An example marked as complete can be copied as it is, with the variables that it names."""
    assert settings_of(tmp_path, text, {name: f"the-{name}" for name in variables.split()}).models


@pytest.mark.parametrize(("path", "key"), [(path, key) for path, table in TABLES.items() for key in table])
def test_every_key_is_documented(path: str, key: str) -> None:
    """Each key has a row, each top-level key a section; keys of nested sections may share a row."""
    if path == "":
        assert f"\n## `{key}`\n" in PAGE
    elif "." in path:
        assert f"`{key}`" in PAGE
    else:
        section = PAGE.split(f"\n## `{path}`\n")[1].split("\n## ")[0]
        assert f"\n| `{key}` |" in section


@pytest.mark.parametrize(
    ("key", "default"),
    [
        (name, field.default)
        for settings in (Server, Model, Weights, Mixture)
        for name, field in settings.__dataclass_fields__.items()
        if isinstance(field.default, int | float | str)
        and name not in {"tools_fan_out", "tools_advice", "context_tokens"}
    ],
)
def test_every_default_is_documented(key: str, default: float | str) -> None:
    """The page's defaults are those of the code."""
    shown = (
        str(default).lower() if isinstance(default, bool) else f"{default:g}" if isinstance(default, float) else default
    )
    assert f"`{shown}`" in ROWS[key]


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_is_documented(name: str) -> None:
    """Each provider has a row with the facts of the code."""
    provider = PROVIDERS[name]
    (row,) = re.findall(rf"^\| `{name}` \|.*$", PAGE, re.MULTILINE)
    assert provider.base_url in row
    assert (f"`{provider.key_variable}`" if provider.key_variable else "needs none") in row
    capabilities = row.split("|")[4].strip()
    assert capabilities == "all" or set(capabilities.split(", ")) == provider.capabilities


def test_every_weight_is_documented() -> None:
    """The page names every weight that an embedded model may use."""
    assert all(f"`{name}`" in PAGE for name in WEIGHT_NAMES)
