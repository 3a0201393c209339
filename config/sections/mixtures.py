"""Builds `Mixture`s from the `critic` and `mixtures` sections, each with its complete critic."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from config.reader import Names, Section, describe
from config.sections.paths import find_path
from config.settings import DEFAULT_MIXTURE, Bypass, BypassRule, Checker, Critic, Mixture, Proposer, Verify
from config.source.document import Items


def build_mixtures(root: Section, names: Names, folder: Path) -> tuple[Mixture, ...]:
    """Return the mixtures of the file, or else a default `mom` with every model on its panel.

    Relative paths start from `folder`.
    """
    panel = tuple(Proposer(name) for name in names.models)
    if not root.has("mixtures"):
        if DEFAULT_MIXTURE in names.models:
            names.models[DEFAULT_MIXTURE].report(
                f"must not be {DEFAULT_MIXTURE}, the name of the default mixture: choose another, or write `mixtures`",
            )
        return (Mixture(name=DEFAULT_MIXTURE, panel=panel, critic=_build_critic(None, root, panel)),)
    return tuple(_build_mixture(section, root, panel, folder) for section in root.values.get("mixtures", ()))


def _build_mixture(section: Section, root: Section, every_model: tuple[Proposer, ...], folder: Path) -> Mixture:
    """Return one mixture. Keys that need no conversion come from `values_for`; the others are built here."""
    panel = _build_panel(section.values["panel"]) if "panel" in section.values else every_model
    _check_quorum_and_grace(section, panel)
    critic = _build_critic(section.values.get("critic"), root, panel)
    values: dict[str, Any] = {"name": "", **section.values_for(Mixture), "panel": panel, "critic": critic}
    tools: Section | None = section.values.get("tools")
    if tools:
        values |= _build_tools(tools)
    if section.values.get("bypass"):
        values["bypass"] = _build_bypass(section.values["bypass"])
    if "grace" in section.values:
        values["grace_ratio"] = section.values["grace"]
    if section.values.get("verify"):
        values["verify"] = _build_verify(section.values["verify"], critic)
    if section.values.get("checker"):
        values["checker"] = _build_checker(section.values["checker"], folder)
    values["stages"] = tuple(values.get("stages", ()))
    mixture = Mixture(**values)
    _check_stages_and_critic(section, mixture)
    return mixture


def _build_panel(sections: Sequence[Section]) -> tuple[Proposer, ...]:
    """Return the proposers of a panel: one for each sample of each entry."""
    panel: list[Proposer] = []
    listed: list[str] = []
    for section in sections:
        model: str = section.values.get("model", "")
        if model and model in listed:
            section.place.report(f"is listed twice, first as [{listed.index(model)}]")
        listed.append(model)
        panel += _build_samples(section, model)
    return tuple(panel)


def _build_samples(section: Section, model: str) -> list[Proposer]:
    """Return the proposers of one entry; `first` are params of the first sample alone, laid over the others'."""
    params, n_samples = section.values.get("params", {}), section.values.get("samples", 1)
    if n_samples == 1:
        if section.has("first"):
            section.place_of("first").report("has no effect on a single sample: write it as params")
        return [Proposer(model, params)]
    first = Proposer(model, {**params, **section.values.get("first", {})}, 1)
    return [first, *(Proposer(model, params, number) for number in range(2, n_samples + 1))]


def _build_tools(section: Section) -> dict[str, Any]:
    """Return the settings of `tools`, by their names in Mixture."""
    values = section.values_for(Mixture)
    if "fan_out" in section.values:
        values["tools_fan_out"], values["tools_every_n"] = section.values["fan_out"]
    if "advice" in section.values:
        values["tools_advice"] = section.values["advice"]
    return values


def _build_checker(section: Section, folder: Path) -> Checker | None:
    """Return the checker, or None if its work tree is not a folder, which is reported."""
    values = section.values_for(Checker)
    workdir = find_path(section, "workdir", folder, Path.is_dir, "folder")
    if workdir is None:
        return None
    return Checker(**{**values, "workdir": workdir, "command": tuple(values.get("command", ()))})


def _build_verify(section: Section, critic: Critic | None) -> Verify:
    values = {"model": "", **section.values_for(Verify)}
    if critic is None:
        section.place.report("has no effect without a critic: only what a critic writes is reviewed")
    elif values["model"] and values["model"] == critic.model:
        section.place.report("must not be the critic: a model finds few defects in its own answer")
    return Verify(**values)


def _build_bypass(section: Section) -> Bypass:
    rules: tuple[Section, ...] = tuple(section.values.get("rules", ()))
    for rule in rules:
        if len(rule.values) == 1:
            rule.place.report(
                "must say which requests it applies to: system, max_prompt_chars, max_tokens_below or last_message"
            )
    built = tuple(BypassRule(**{"name": "", **rule.values_for(BypassRule)}) for rule in rules)
    return Bypass(**{**section.values_for(Bypass), "rules": built})


def _check_quorum_and_grace(section: Section, panel: tuple[Proposer, ...]) -> None:
    """Report a quorum that the panel cannot reach, and a grace without a quorum or set twice."""
    size = len(panel) + _count_rejected(section)
    quorum = section.place_of("quorum")
    if section.values.get("quorum", 0) > size > 0:
        quorum.report(f"must be at most {size}, the size of the panel, {describe(quorum)}")
    if section.has("grace") and section.has("grace_s"):
        section.place_of("grace").report("is set twice: here and as grace_s")
    for key in ("grace_s", "grace"):
        if section.has(key) and not section.has("quorum"):
            section.place_of(key).report("has no effect without a quorum")


def _check_stages_and_critic(section: Section, mixture: Mixture) -> None:
    """Report stages that do not make up the panel, and settings that need what the mixture does not have."""
    n_stages, n_panel = sum(mixture.stages), len(mixture.panel) + _count_rejected(section)
    if mixture.stages and n_stages != n_panel > 0:
        section.place_of("stages").report(f"must add up to the {n_panel} proposers of the panel, not to {n_stages}")
    if mixture.stages and mixture.layers > 1:
        section.place_of("stages").report("cannot be combined with layers: a further layer asks the whole panel")
    if mixture.checker and mixture.evidence == "off":
        section.place_of("checker").report("has no effect with evidence: off")
    if mixture.repair and mixture.evidence in ("off", "shadow"):
        section.place_of("repair").report(f"has no effect with evidence: {mixture.evidence}")
    if mixture.critic is None and mixture.mode == "fuse":
        section.place_of("mode").report("needs a critic: fuse has it write the answer")


def _count_rejected(section: Section) -> int:
    """Return how many entries of the panel are invalid, which is reported already."""
    written = section.place_of("panel").node
    return len(written.nodes) - len(section.values.get("panel", ())) if isinstance(written, Items) else 0


def _build_critic(own: Section | None, root: Section, panel: tuple[Proposer, ...]) -> Critic | None:
    """Return the mixture's critic, or None if it has none (`critic: none`).

    Keys that it leaves out come from the top-level critic, then from the panel.

    A prompt is written for one model. A mixture that names another critic than the top-level one does not inherit the
    prompt: a template that helps a small embedded model makes a strong hosted one worse, and nothing would show it.
    """
    common: Section | None = root.values.get("critic")
    inherited = dict(common.values) if common else {}
    chosen = own.values if own else {}
    if {**inherited, **chosen}.get("model", "") is None:
        return None
    if "model" in inherited and chosen.get("model", inherited["model"]) != inherited["model"]:
        inherited.pop("prompt", None)
    values: dict[str, Any] = {**inherited, **chosen}
    model: str = values.pop("model", None) or next((proposer.model for proposer in panel), "")
    fallbacks = tuple(name for name in values.pop("fallbacks", ()) if name != model)
    return Critic(model=model, fallbacks=fallbacks, **values)
