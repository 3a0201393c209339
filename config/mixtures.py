"""From what `critic` and `mixtures` say to `Mixture`s, each with its whole critic."""

from typing import Any

from config.reader import Names, Record
from config.settings import Critic, Mixture

DEFAULT_NAME = "mom"

_AS_GIVEN = ("name", "mode", "deadline_s", "critic_reserve_s", "show_reasoning", "show_work")


def mixtures(root: Record, names: Names) -> tuple[Mixture, ...]:
    """Return the mixtures: those that are written, or else `mom`, with every model on its panel."""
    panel = tuple(names.models)
    if not root.has("mixtures"):
        if DEFAULT_NAME in names.models:
            names.models[DEFAULT_NAME].refuse(
                f"must not be {DEFAULT_NAME}, the name of the default mixture: choose another, or write `mixtures`",
            )
        return (Mixture(name=DEFAULT_NAME, panel=panel, critic=_critic(None, root, panel)),)
    return tuple(_mixture(record, root, panel) for record in root.values.get("mixtures", ()))


def _mixture(record: Record, root: Record, every_model: tuple[str, ...]) -> Mixture:
    values: dict[str, Any] = {key: record.values[key] for key in _AS_GIVEN if key in record.values}
    panel: tuple[str, ...] = record.values.get("panel", every_model)
    tools: Record | None = record.values.get("tools")
    if tools and "fan_out" in tools.values:
        values["tools_fan_out"] = tools.values["fan_out"]
    critic = _critic(record.values.get("critic"), root, panel)
    return Mixture(**{"name": "", **values}, panel=panel, critic=critic)


def _critic(own: Record | None, root: Record, panel: tuple[str, ...]) -> Critic:
    """Return what the mixture's own critic says, completed by the top-level one, completed by the panel's first."""
    common: Record | None = root.values.get("critic")
    said = {**(common.values if common else {}), **(own.values if own else {})}
    model: str = said.pop("model", None) or next(iter(panel), "")
    fallbacks = tuple(name for name in said.pop("fallbacks", ()) if name != model)
    return Critic(model=model, fallbacks=fallbacks, **said)
