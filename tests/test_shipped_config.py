"""The shipped config.yaml: valid as it is, and with every commented example in it."""

import re
from pathlib import Path

import pytest

from config import load, read_dotenv
from config.settings import Settings
from handlers.lifecycle.resources import used_weights
from synth.prompts import critic

ROOT = Path(__file__).parents[1]
SHIPPED = (ROOT / "config.yaml").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^( *)# (- \{|[\w*.-]+: )", re.MULTILINE)
KEYS = {"OPENROUTER_API_KEY": "sk-or-1"}


def loaded(text: str, folder: Path) -> Settings:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, KEYS)


def prompt_of(settings: Settings, name: str) -> str:
    """Return the template that the critics of a mixture get."""
    mixture = settings.mixture(name)
    assert mixture.critic is not None
    return mixture.critic.prompt or critic.choose_prompt([settings.model(each) for each in mixture.critics])


def test_every_example_may_be_uncommented(tmp_path: Path) -> None:
    """All at once: the result is valid, and has more models, mixtures and aliases than before."""
    shipped, complete = loaded(SHIPPED, tmp_path), loaded(EXAMPLE.sub(r"\1\2", SHIPPED), tmp_path)
    assert len(EXAMPLE.findall(SHIPPED)) == 6
    assert len(complete.models) == len(shipped.models) + 4
    assert [mixture.name for mixture in complete.mixtures] == ["mom", "hosted"]
    assert len(complete.aliases) == len(shipped.aliases) + 1


@pytest.mark.parametrize("position", range(6))
def test_an_example_alone_may_be_uncommented_if_it_refers_to_no_other(tmp_path: Path, position: int) -> None:
    """Only the mixture `hosted` needs the models that it names."""
    found = list(EXAMPLE.finditer(SHIPPED))[position]
    line = SHIPPED[found.start() : SHIPPED.index("\n", found.start())]
    if "hosted" in line:
        pytest.skip("refers to the hosted models")
    loaded(SHIPPED[: found.start()] + found[1] + found[2] + SHIPPED[found.end() :], tmp_path)


def test_the_names_that_aider_asks_for_by_default(tmp_path: Path) -> None:
    """The editor's and the weak model's names lead to the mixture and to a single small model."""
    shipped = loaded(SHIPPED, tmp_path)
    assert [shipped.resolve(name) for name in ("mom", "gpt-4.1", "gpt-4.1-mini")] == [
        "mom",
        "mom",
        "qwen2.5-coder-0.5b",
    ]


def test_a_hosted_critic_does_not_get_the_prompt_for_small_models(tmp_path: Path) -> None:
    """Neither in the example nor if the shipped mixture gets one; an embedded critic does."""
    complete = EXAMPLE.sub(r"\1\2", SHIPPED)
    hosted = loaded(complete.replace("critic: none", "critic: sonnet"), tmp_path)
    assert [prompt_of(hosted, name) for name in ("hosted", "mom")] == [critic.PROMPT] * 2
    embedded = loaded(complete.replace("critic: none", "critic: qwen2.5-coder-0.5b"), tmp_path)
    assert prompt_of(embedded, "mom") == critic.SMALL_MODEL_PROMPT


def test_embedded_models_are_loaded_only_for_a_mixture(tmp_path: Path) -> None:
    """An alias or an entry in `models` alone does not load one."""
    complete = EXAMPLE.sub(r"\1\2", SHIPPED)
    start, end = complete.index("  - name: mom"), complete.index("  - {name: hosted")
    hosted = (complete[:start] + complete[end:]).replace("name: hosted", "name: mom")
    assert used_weights(loaded(hosted, tmp_path)) == []
    assert [weights.name for weights in used_weights(loaded(SHIPPED, tmp_path))] == ["qwen2.5-coder-0.5b"]


def test_the_example_of_env_is_valid(tmp_path: Path) -> None:
    """It can be copied to .env as it is."""
    path = tmp_path / ".env"
    path.write_bytes((ROOT / ".env.example").read_bytes())
    assert set(read_dotenv(path)) >= {"OPENROUTER_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"}
