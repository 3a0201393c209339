"""Prices of models, and whether spending limits can be enforced with them."""

from collections.abc import Sequence
from decimal import Decimal

from config.providers import EMBEDDED
from config.reader import Section, describe
from config.settings import Mixture, Model, Price

_FREE = Price(Decimal(0), Decimal(0))


def read_price(section: Section, provider_name: str | None) -> Price | None:
    """Return the price that a model's section sets; by default an embedded model is free and others are unpriced."""
    if not section.has("price"):
        return _FREE if provider_name == EMBEDDED else None
    given: Section | None = section.values.get("price")
    if given is None or not {"input", "output"} <= given.values.keys():
        return None
    found = Price(**given.values)
    if found.cached_input is not None and found.cached_input > found.input:
        place = given.place_of("cached_input")
        place.report(f"must be at most the price of input, {describe(place)}")
    return found


def check_limits(root: Section, models: Sequence[Model], mixtures: Sequence[Mixture]) -> None:
    """Report each spending limit that cannot be enforced because a model in its scope has no price."""
    sections: Sequence[Section] = root.values.get("models", ())
    unpriced = {
        model.name: section
        for section, model in zip(sections, models, strict=True)
        if model.price is None and not section.has("price")
    }
    server: Section | None = root.values.get("server")
    if server is not None:
        _check_limit(server, "max_cost_per_day", unpriced, "every model")
        for key in server.values.get("api_keys", ()):
            _check_limit(key, "cost_per_day", unpriced, "every model")
    for section, mixture in zip(root.values.get("mixtures", ()), mixtures, strict=False):
        missing = {name: unpriced[name] for name in unpriced if name in mixture.used_models}
        for key in ("max_cost", "max_cost_per_day"):
            _check_limit(section, key, missing, "every model that this mixture may call")


def _check_limit(limited: Section, key: str, unpriced: dict[str, Section], scope: str) -> None:
    if limited.has(key) and unpriced:
        names = ", ".join(describe(section.place_of("name")).removeprefix("is ") for section in unpriced.values())
        limited.place_of(key).report(f"needs the price of {scope}; without a price: {names}")
