"""What `mixtures` and `critic` become."""

from pathlib import Path

import pytest

from config.settings import Critic, Mixture, Proposer, Verify
from tests.config.loading import settings_of
from tests.running import panel_of

MODELS = "models: [{name: a, base_url: 'http://h'}, {name: b, base_url: 'http://h'}, {name: c, base_url: 'http://h'}]"


def mixtures_of(folder: Path, text: str) -> tuple[Mixture, ...]:
    """Load a configuration with three models, and return its mixtures."""
    return settings_of(folder, f"{MODELS}\n{text}").mixtures


def test_default_mixture(tmp_path: Path) -> None:
    """Without any, there is `mom`, with every model, and the first as critic."""
    assert mixtures_of(tmp_path, "") == (Mixture(name="mom", panel=panel_of("a", "b", "c"), critic=Critic("a")),)


def test_every_key(tmp_path: Path) -> None:
    """Everything that is written arrives."""
    text = (
        "mixtures: [{name: m, panel: [c, b], critic: {model: a, fallbacks: [b, c], params: {seed: 1}, "
        "prompt: 'Do {candidates}'}, mode: fuse, deadline_s: 9, critic_reserve_s: 0, show_reasoning: true, "
        "quorum: 2, grace_s: 1, retry_grace_s: 0, "
        "show_work: true, tools: {fan_out: every_turn}}]"
    )
    assert mixtures_of(tmp_path, text) == (
        Mixture(
            name="m",
            panel=panel_of("c", "b"),
            critic=Critic("a", fallbacks=("b", "c"), params={"seed": 1}, prompt="Do {candidates}"),
            mode="fuse",
            deadline_s=9.0,
            critic_reserve_s=0.0,
            quorum=2,
            grace_s=1.0,
            retry_grace_s=0.0,
            show_reasoning=True,
            show_work=True,
            tools_fan_out="every_turn",
        ),
    )


def test_a_panel_may_have_samples(tmp_path: Path) -> None:
    """As many proposers as samples, in their place of the ranking; one sample has the model's plain name."""
    panel = "[{model: b, samples: 2, params: {temperature: 0.9}}, {model: c, samples: 1}, a]"
    (mixture,) = mixtures_of(tmp_path, f"mixtures: [{{name: m, panel: {panel}, quorum: 4, layers: 3, verify: c}}]")
    warm = {"temperature": 0.9}
    assert mixture.panel == (Proposer("b", warm, 1), Proposer("b", warm, 2), Proposer("c"), Proposer("a"))
    assert [proposer.name for proposer in mixture.panel] == ["b#1", "b#2", "c", "a"]
    assert mixture.panel_models == ("b", "c", "a")
    assert (mixture.critic, mixture.layers, mixture.verify) == (Critic("b"), 3, Verify("c"))


def test_a_verifier_may_have_params(tmp_path: Path) -> None:
    """As a mapping."""
    (mixture,) = mixtures_of(tmp_path, "mixtures: [{name: m, verify: {model: b, params: {max_tokens: 300}}}]")
    assert mixture.verify == Verify("b", {"max_tokens": 300})


TOP = "critic: {model: c, fallbacks: [a], params: {seed: 1}}"


@pytest.mark.parametrize(
    ("text", "critic"),
    [
        ("mixtures: [{name: m}]", Critic("a")),
        ("mixtures: [{name: m, panel: [b]}]", Critic("b")),
        ("mixtures: [{name: m, panel: [b], critic: {fallbacks: [c]}}]", Critic("b", ("c",))),
        ("critic: b", Critic("b")),
        ("critic: {params: {seed: 2}}", Critic("a", params={"seed": 2})),
        (TOP, Critic("c", ("a",), {"seed": 1})),
        (f"{TOP}\nmixtures: [{{name: m, panel: [b]}}]", Critic("c", ("a",), {"seed": 1})),
        (f"{TOP}\nmixtures: [{{name: m, critic: b}}]", Critic("b", ("a",), {"seed": 1})),
        (f"{TOP}\nmixtures: [{{name: m, critic: a}}]", Critic("a", (), {"seed": 1})),
        (f"{TOP}\nmixtures: [{{name: m, critic: {{fallbacks: [], params: {{}}}}}}]", Critic("c")),
        (f"{TOP}\nmixtures: [{{name: m, critic: {{prompt: null}}}}]", Critic("c", ("a",), {"seed": 1})),
    ],
)
def test_critics_complete_one_another(tmp_path: Path, text: str, critic: Critic) -> None:
    """A mixture's critic, then the top-level one, then the panel's first; nobody is their own fallback."""
    assert mixtures_of(tmp_path, text)[0].critic == critic


@pytest.mark.parametrize(("written", "ratio"), [("0.5x", 0.5), ("2x", 2.0), ("0x", 0.0)])
def test_a_grace_may_be_a_multiple(tmp_path: Path, written: str, ratio: float) -> None:
    """Of the time that the quorum took."""
    (mixture,) = mixtures_of(tmp_path, f"mixtures: [{{name: m, quorum: 3, grace: {written}}}]")
    assert (mixture.quorum, mixture.grace_ratio) == (3, ratio)


def test_settings_by_name(tmp_path: Path) -> None:
    """Models and mixtures are found by name."""
    settings = settings_of(tmp_path, f"{MODELS}\nmixtures: [{{name: m}}, {{name: n, tools: {{}}}}]")
    assert settings.mixture("n").tools_fan_out == "new_turns"
    assert settings.model("b").name == "b"
    for find in (settings.model, settings.mixture):
        with pytest.raises(KeyError):
            find("nothing")
