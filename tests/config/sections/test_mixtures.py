"""`mixtures` and `critic` as settings."""

from pathlib import Path

import pytest

from config import ConfigError
from config.settings import Critic, Mixture, Proposer, Verify
from tests.config.loading import settings_of
from tests.running import panel_of

MODELS = "models: [{name: a, base_url: 'http://h'}, {name: b, base_url: 'http://h'}, {name: c, base_url: 'http://h'}]"


def mixtures_of(folder: Path, text: str) -> tuple[Mixture, ...]:
    """Load a configuration with three models, and return its mixtures."""
    return settings_of(folder, f"{MODELS}\n{text}").mixtures


def test_the_default_mixture_has_every_model(tmp_path: Path) -> None:
    """Without `mixtures` there is `mom`: every model on the panel, the first one as critic."""
    assert mixtures_of(tmp_path, "") == (Mixture(name="mom", panel=panel_of("a", "b", "c"), critic=Critic("a")),)


def test_every_key_is_read(tmp_path: Path) -> None:
    """Every key reaches the mixture."""
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
    """Each sample is a proposer at its place in the ranking; a single sample has the model's plain name."""
    panel = "[{model: b, samples: 2, params: {temperature: 0.9}}, {model: c, samples: 1}, a]"
    (mixture,) = mixtures_of(tmp_path, f"mixtures: [{{name: m, panel: {panel}, quorum: 4, layers: 3, verify: c}}]")
    warm = {"temperature": 0.9}
    assert mixture.panel == (Proposer("b", warm, 1), Proposer("b", warm, 2), Proposer("c"), Proposer("a"))
    assert [proposer.name for proposer in mixture.panel] == ["b#1", "b#2", "c", "a"]
    assert mixture.panel_models == ("b", "c", "a")
    assert (mixture.critic, mixture.layers, mixture.verify) == (Critic("b"), 3, Verify("c"))


def test_a_verifier_may_have_params(tmp_path: Path) -> None:
    """`verify` may be a mapping."""
    (mixture,) = mixtures_of(tmp_path, "mixtures: [{name: m, verify: {model: b, params: {max_tokens: 300}}}]")
    assert mixture.verify == Verify("b", {"max_tokens": 300})


PROMPT = "critic: {model: c, prompt: '{candidates}'}"
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
        (f"{PROMPT}\nmixtures: [{{name: m}}]", Critic("c", prompt="{candidates}")),
        (f"{PROMPT}\nmixtures: [{{name: m, critic: {{fallbacks: [a]}}}}]", Critic("c", ("a",), prompt="{candidates}")),
        (f"{PROMPT}\nmixtures: [{{name: m, critic: b}}]", Critic("b")),
        ("critic: {prompt: '{candidates}'}\nmixtures: [{name: m, critic: b}]", Critic("b", prompt="{candidates}")),
    ],
)
def test_a_critic_inherits_missing_keys(tmp_path: Path, text: str, critic: Critic) -> None:
    """From the top-level critic, then from the panel; a model is never its own fallback."""
    assert mixtures_of(tmp_path, text)[0].critic == critic


@pytest.mark.parametrize(("written", "ratio"), [("0.5x", 0.5), ("2x", 2.0), ("0x", 0.0)])
def test_a_grace_may_be_a_multiple(tmp_path: Path, written: str, ratio: float) -> None:
    """`0.5x` is a multiple of the time until the quorum."""
    (mixture,) = mixtures_of(tmp_path, f"mixtures: [{{name: m, quorum: 3, grace: {written}}}]")
    assert (mixture.quorum, mixture.grace_ratio) == (3, ratio)


def test_models_and_mixtures_are_found_by_name(tmp_path: Path) -> None:
    """Models and mixtures are found by name."""
    settings = settings_of(tmp_path, f"{MODELS}\nmixtures: [{{name: m}}, {{name: n, tools: {{}}}}]")
    assert settings.mixture("n").tools_fan_out == "new_turns"
    assert settings.model("b").name == "b"
    for find in (settings.model, settings.mixture):
        with pytest.raises(KeyError):
            find("nothing")


def test_the_first_sample_may_have_its_own_params(tmp_path: Path) -> None:
    """A greedy one, say, beside varied ones; laid over the params of all samples."""
    panel = "[{model: b, samples: 3, first: {temperature: 0}, params: {temperature: 0.8, top_p: 0.9}}]"
    (mixture,) = mixtures_of(tmp_path, f"mixtures: [{{name: m, panel: {panel}}}]")
    warm = {"temperature": 0.8, "top_p": 0.9}
    assert [proposer.params for proposer in mixture.panel] == [{**warm, "temperature": 0}, warm, warm]


@pytest.mark.parametrize("learn", ["off", "shadow", "on"])
def test_learning_is_read(tmp_path: Path, learn: str) -> None:
    """As it is written, quoted or not: YAML reads a bare on as true; by default it is `shadow`."""
    text = f"mixtures: [{{name: m, learn: {learn}}}, {{name: n, learn: '{learn}'}}, {{name: o}}]"
    assert [mixture.learn for mixture in mixtures_of(tmp_path, text)] == [learn, learn, "shadow"]


def test_stages_evidence_and_repair_are_read(tmp_path: Path) -> None:
    """As they are written; by default all proposers are asked at once and evidence is `auto`."""
    text = "mixtures: [{name: m, panel: [a, b, c], stages: [1, 2], evidence: full, repair: 1}, {name: n}]"
    written, default = mixtures_of(tmp_path, text)
    assert (written.stages, written.evidence, written.repair) == ((1, 2), "full", 1)
    assert (default.stages, default.evidence, default.repair) == ((), "auto", 0)


@pytest.mark.parametrize("text", ["mixtures: [{name: m, critic: none}]", "critic: none\nmixtures: [{name: m}]"])
def test_a_mixture_may_have_no_critic(tmp_path: Path, text: str) -> None:
    """Then its authors are the models of its panel, in their order."""
    (mixture,) = mixtures_of(tmp_path, text)
    assert (mixture.critic, mixture.critics, mixture.authors) == (None, (), ("a", "b", "c"))
    assert mixture.used_models == {"a", "b", "c"}


def test_a_mixture_may_have_a_critic_beside_mixtures_without_one(tmp_path: Path) -> None:
    """Its own key wins over the top-level one."""
    (mixture,) = mixtures_of(tmp_path, "critic: none\nmixtures: [{name: m, critic: {model: b, fallbacks: [c]}}]")
    assert mixture.critics == mixture.authors == ("b", "c")


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("panel: [a, b], stages: [1, 2]", "stages", "must add up to the 2 proposers of the panel, not to 3"),
        ("stages: [1, 2], layers: 2", "stages", "cannot be combined with layers"),
        ("repair: 1, evidence: off", "repair", "has no effect with evidence: off"),
        ("critic: none, mode: fuse", "mode", "needs a critic"),
        ("critic: none, verify: a", "verify", "has no effect without a critic"),
        ("panel: [{model: a, first: {seed: 1}}]", "panel[0].first", "has no effect on a single sample"),
        ("learn: maybe", "learn", "must be off, shadow or on"),
        ("evidence: maybe", "evidence", "must be off, shadow, auto or full"),
    ],
)
def test_conflicting_keys_are_reported(tmp_path: Path, text: str, path: str, message: str) -> None:
    """With the path of the key and the reason."""
    with pytest.raises(ConfigError) as failed:
        mixtures_of(tmp_path, f"mixtures: [{{name: m, {text}}}]")
    assert f"mixtures[0].{path}" in str(failed.value)
    assert message in str(failed.value)


@pytest.mark.parametrize(
    ("fan_out", "word", "n"),
    [("stuck", "stuck", None), ("{every_n: 4}", "every_n", 4), ("new_turns", "new_turns", None)],
)
def test_the_panel_s_turns_are_read(tmp_path: Path, fan_out: str, word: str, n: int | None) -> None:
    """A word, or every so many turns."""
    (mixture,) = mixtures_of(tmp_path, f"mixtures: [{{name: m, tools: {{fan_out: {fan_out}}}}}]")
    assert (mixture.tools_fan_out, mixture.tools_every_n) == (word, n)


def test_a_checker_is_read(tmp_path: Path) -> None:
    """Its work tree is resolved from the file's folder; by default it has a minute, no environment, and isolation."""
    (tmp_path / "src").mkdir()
    text = "mixtures: [{name: m, checker: {workdir: src, command: [make, test], env: {A: '1'}}}]"
    (mixture,) = mixtures_of(tmp_path, text)
    assert mixture.checker is not None
    assert mixture.checker.workdir == (tmp_path / "src").resolve()
    assert (mixture.checker.command, mixture.checker.timeout_s, mixture.checker.isolate) == (("make", "test"), 60, True)
    assert {name: secret.value for name, secret in mixture.checker.env.items()} == {"A": "1"}


@pytest.mark.parametrize(
    ("checker", "problem"),
    [
        ("{command: [a]}", "checker.workdir: is missing"),
        ("{workdir: nowhere, command: [a]}", "is not a folder"),
        ("{workdir: ., command: []}", "checker.command"),
        ("{workdir: ., command: [a], env: {1A: x}}", "is not a name of an environment variable"),
        ("{workdir: ., command: [a], env: [x]}", "must be a mapping of variable names to texts"),
        ("{workdir: ., command: [a], limit: 0}", "checker.limit"),
    ],
)
def test_a_wrong_checker_is_reported(tmp_path: Path, checker: str, problem: str) -> None:
    """With its place and what to write instead."""
    with pytest.raises(ConfigError) as error:
        mixtures_of(tmp_path, f"mixtures: [{{name: m, checker: {checker}}}]")
    assert problem in str(error.value)


def test_a_checker_without_evidence_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no effect with evidence: off"):
        mixtures_of(tmp_path, "mixtures: [{name: m, evidence: off, checker: {workdir: ., command: [a]}}]")
