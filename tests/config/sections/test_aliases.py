"""Aliases: the mixture or model that a client's model name stands for."""

from pathlib import Path

import pytest

from config.settings import Alias, Settings
from tests.config.loading import problems_of, settings_of

MODELS = "models: [{name: qwen, base_url: 'http://h'}, {name: gpt, base_url: 'http://h'}]\n"
MIXTURES = "mixtures: [{name: mom}, {name: code}]\n"
ALIASES = 'aliases: {claude-*: code, gpt-4.1: mom, gpt-4*: qwen, gpt-*: gpt, "*-mini": qwen, "openai/*/x": code}\n'


def configured(folder: Path, server: str = "") -> Settings:
    return settings_of(folder, f"{server}{MODELS}{MIXTURES}{ALIASES}")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("mom", "mom"),
        ("qwen", "qwen"),
        ("gpt", "gpt"),
        ("gpt-4.1", "mom"),
        ("gpt-4.1-nano", "qwen"),
        ("gpt-5", "gpt"),
        ("gpt-5-mini", "gpt"),
        ("o4-mini", "qwen"),
        ("claude-", "code"),
        ("claude-sonnet-4-5@20250929", "code"),
        ("openai/a/b/x", "code"),
        ("Claude-x", None),
        ("claude", None),
        ("llama", None),
        ("", None),
        ("*", None),
        ("[a]", None),
    ],
)
def test_a_name_is_resolved(tmp_path: Path, name: str, target: str | None) -> None:
    """Models and mixtures first, then exact aliases, then patterns in file order; case matters."""
    assert configured(tmp_path).resolve(name) == target


def test_an_unknown_name_may_mean_the_first_mixture(tmp_path: Path) -> None:
    """With `unknown_model: default`; known names keep their meaning."""
    settings = configured(tmp_path, "server: {unknown_model: default}\n")
    assert [settings.resolve(name) for name in ("llama", "code", "claude-x")] == ["mom", "code", "code"]


def test_aliases_of_the_default_mixture(tmp_path: Path) -> None:
    """`mom` exists without `mixtures`."""
    settings = settings_of(tmp_path, f"{MODELS}aliases: {{gpt-4.1: mom}}")
    assert settings.aliases == (Alias("gpt-4.1", "mom"),)


@pytest.mark.parametrize(
    ("aliases", "problem"),
    [
        ("{gpt-4: momm}", 'aliases.gpt-4: is "momm", which is neither a mixture nor a model: did you mean mom?'),
        ("{x: gpt-4.1, gpt-4.1: mom}", 'aliases.x: is "gpt-4.1", which is neither a mixture nor a model'),
        ("{qwen: mom}", "aliases.qwen: is already the name of models[0], which an alias cannot replace"),
        ("{mom: qwen}", "aliases.mom: is already the name of mixtures[0], which an alias cannot replace"),
        ("{'a b': mom}", "must have at most 128 letters, digits and . _ : / @ + - *"),
        ("{a?: mom}", "must have at most 128 letters, digits and . _ : / @ + - *"),
        ("{x: [mom]}", "aliases.x: must be the name of a mixture or a model"),
        ("[mom]", "aliases: must be a mapping of names to mixtures or models, is a list"),
        ("{x: '${W}'}", "aliases.x: is the value of ${W}, which is neither a mixture nor a model"),
    ],
)
def test_wrong_aliases_are_reported(tmp_path: Path, aliases: str, problem: str) -> None:
    """With their place and, if one is similar, the right name; values of variables are not shown."""
    (found,) = problems_of(tmp_path, f"{MODELS}{MIXTURES}aliases: {aliases}", {"W": "s3cret"})
    assert problem in found
    assert "s3cret" not in found
