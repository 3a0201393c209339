"""Prices of models, and whether the limits of money can be kept with them."""

from collections.abc import Sequence
from decimal import Decimal

from config.providers import EMBEDDED
from config.reader import Record, shown
from config.settings import Mixture, Model, Price

_FREE = Price(Decimal(0), Decimal(0))


def price(record: Record, provider_name: str | None) -> Price | None:
    """Return the price of a model's entry; nothing for an embedded model that gives none, None for any other."""
    if not record.has("price"):
        return _FREE if provider_name == EMBEDDED else None
    given: Record | None = record.values.get("price")
    if given is None or not {"input", "output"} <= given.values.keys():
        return None
    found = Price(**given.values)
    if found.cached_input is not None and found.cached_input > found.input:
        given.at("cached_input").refuse(f"must be at most that of input, {shown(given.at('cached_input'))}")
    return found


def check_limits(root: Record, models: Sequence[Model], mixtures: Sequence[Mixture]) -> None:
    """Note each limit of money that cannot be kept, because a model that it is for has no price."""
    records: Sequence[Record] = root.values.get("models", ())
    unpriced = {
        model.name: record
        for record, model in zip(records, models, strict=True)
        if model.price is None and not record.has("price")
    }
    given: Record | None = root.values.get("server")
    if given is not None:
        _check(given, "max_cost_per_day", unpriced, "every model")
        for key in given.values.get("api_keys", ()):
            _check(key, "cost_per_day", unpriced, "every model")
    for record, mixture in zip(root.values.get("mixtures", ()), mixtures, strict=False):
        asked = models_of(mixture)
        missing = {name: unpriced[name] for name in unpriced if name in asked}
        _check(record, "max_cost", missing, "every model that this mixture may ask")


def models_of(mixture: Mixture) -> frozenset[str]:
    """Return the names of all models that a mixture may ask."""
    others = [mixture.bypass.model, mixture.verify.model if mixture.verify else None]
    return frozenset([*mixture.panel_models, mixture.critic.model, *mixture.critic.fallbacks, *filter(None, others)])


def _check(limited: Record, key: str, unpriced: dict[str, Record], whose: str) -> None:
    if limited.has(key) and unpriced:
        names = ", ".join(shown(record.at("name")).removeprefix("is ") for record in unpriced.values())
        limited.at(key).refuse(f"needs the price of {whose}; without one: {names}")
