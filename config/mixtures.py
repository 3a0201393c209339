"""From what `critic` and `mixtures` say to `Mixture`s, each with its whole critic."""

from collections.abc import Sequence
from typing import Any

from config.document import Items
from config.reader import Names, Record, shown
from config.settings import Bypass, BypassRule, Critic, Mixture, Proposer, Verify

DEFAULT_NAME = "mom"

_AS_GIVEN = (
    "name",
    "mode",
    "layers",
    "orders",
    "verdict_max_tokens",
    "deadline_s",
    "critic_reserve_s",
    "quorum",
    "grace_s",
    "retry_grace_s",
    "max_cost",
    "show_reasoning",
    "show_work",
)


def mixtures(root: Record, names: Names) -> tuple[Mixture, ...]:
    """Return the mixtures: those that are written, or else `mom`, with every model on its panel."""
    panel = tuple(Proposer(name) for name in names.models)
    if not root.has("mixtures"):
        if DEFAULT_NAME in names.models:
            names.models[DEFAULT_NAME].refuse(
                f"must not be {DEFAULT_NAME}, the name of the default mixture: choose another, or write `mixtures`",
            )
        return (Mixture(name=DEFAULT_NAME, panel=panel, critic=_critic(None, root, panel)),)
    return tuple(_mixture(record, root, panel) for record in root.values.get("mixtures", ()))


def _mixture(record: Record, root: Record, every_model: tuple[Proposer, ...]) -> Mixture:
    values: dict[str, Any] = {key: record.values[key] for key in _AS_GIVEN if key in record.values}
    panel = _panel(record.values["panel"]) if "panel" in record.values else every_model
    tools: Record | None = record.values.get("tools")
    if tools and "fan_out" in tools.values:
        values["tools_fan_out"] = tools.values["fan_out"]
    bypass: Record | None = record.values.get("bypass")
    if bypass:
        values["bypass"] = _bypass(bypass)
    if "grace" in record.values:
        values["grace_ratio"] = record.values["grace"]
    _check_patience(record, panel)
    critic = _critic(record.values.get("critic"), root, panel)
    verify: Record | None = record.values.get("verify")
    if verify:
        values["verify"] = _verify(verify, critic)
    return Mixture(**{"name": "", **values}, panel=panel, critic=critic)


def _panel(entries: Sequence[Record]) -> tuple[Proposer, ...]:
    """Return the proposers of a panel's entries, as many for one as it wants samples."""
    panel: list[Proposer] = []
    listed: list[str] = []
    for entry in entries:
        model: str = entry.values.get("model", "")
        if model and model in listed:
            entry.place.refuse(f"is listed twice, first as [{listed.index(model)}]")
        listed.append(model)
        n_samples = entry.values.get("samples", 1)
        numbers = [None] if n_samples == 1 else range(1, n_samples + 1)
        panel += [Proposer(model, entry.values.get("params", {}), number) for number in numbers]
    return tuple(panel)


def _verify(record: Record, critic: Critic) -> Verify:
    model: str = record.values.get("model", "")
    if model and model == critic.model:
        record.place.refuse("must not be the critic: who looks over their own answer finds little")
    return Verify(model, record.values.get("params", {}))


def _bypass(record: Record) -> Bypass:
    rules: tuple[Record, ...] = tuple(record.values.get("rules", ()))
    for rule in rules:
        if len(rule.values) == 1:
            rule.place.refuse("must say which requests it is for: system, max_prompt_chars or max_tokens_below")
    read = tuple(BypassRule(**{"name": "", **rule.values}) for rule in rules)
    return Bypass(**{**record.values, "rules": read})


def _check_patience(record: Record, panel: tuple[Proposer, ...]) -> None:
    """Note a quorum that the panel cannot reach, and a grace that is for nothing or given twice."""
    written = record.at("panel").node
    n_refused = len(written.nodes) - len(record.values.get("panel", ())) if isinstance(written, Items) else 0
    size = len(panel) + n_refused
    quorum = record.at("quorum")
    if record.values.get("quorum", 0) > size > 0:
        quorum.refuse(f"must be at most {size}, the size of the panel, {shown(quorum)}")
    if record.has("grace") and record.has("grace_s"):
        record.at("grace").refuse("is given twice: here, and as grace_s")
    for key in ("grace_s", "grace"):
        if record.has(key) and not record.has("quorum"):
            record.at(key).refuse("has no meaning without a quorum")


def _critic(own: Record | None, root: Record, panel: tuple[Proposer, ...]) -> Critic:
    """Return what the mixture's own critic says, completed by the top-level one, completed by the panel's first."""
    common: Record | None = root.values.get("critic")
    said = {**(common.values if common else {}), **(own.values if own else {})}
    model: str = said.pop("model", None) or next((proposer.model for proposer in panel), "")
    fallbacks = tuple(name for name in said.pop("fallbacks", ()) if name != model)
    return Critic(model=model, fallbacks=fallbacks, **said)
