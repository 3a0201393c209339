"""Builds `Model`s from the `models` section and the defaults of their providers."""

from pathlib import Path
from typing import Any

from config.providers import ALL_CAPABILITIES, EMBEDDED, PROVIDERS, SYNONYMS, WEIGHT_NAMES, Provider
from config.reader import Section, suggest
from config.sections.money import read_price
from config.sections.paths import find_path
from config.settings import Model, Server, Weights
from config.values import is_from_environment, is_same_address

_ONLY_EMBEDDED = ("path", "threads", "slots")
_NEVER_EMBEDDED = ("base_url", "api_key", "headers")
_KEY_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})


def build_model(section: Section, server: Server, folder: Path) -> Model:
    """Return the model of one section; after a reported problem it must not be used.

    `server` has the address on which the gateway will listen; relative paths start from `folder`. Keys that need no
    conversion come from `values_for`; the others are built here.
    """
    provider_name = _find_provider_name(section)
    provider = PROVIDERS.get(provider_name or "")
    _check_keys_fit(section, provider_name)
    values: dict[str, Any] = {"name": "", "api_key": None, **section.values_for(Model)}
    values["provider"] = provider_name
    values.setdefault("api", provider.api if provider else "chat")
    values["capabilities"] = frozenset(
        values.get("capabilities", provider.capabilities if provider else ALL_CAPABILITIES)
    )
    values["price"] = read_price(section, provider_name)
    values |= _build_parameters(section)
    if section.values.get("hedge"):
        values["hedge_after_s"] = section.values["hedge"].values.get("after_s")
    if provider_name == EMBEDDED:
        weights = _build_weights(section, folder)
        values = {
            "max_concurrency": weights.slots,
            "model": values["name"],
            **values,
            "base_url": "",
            "weights": weights,
        }
        values["context_tokens"] = weights.context_tokens
    else:
        values["base_url"] = _find_base_url(section, provider, server)
        values["model"] = _find_model_id(section, provider_name)
        _check_credentials(section, provider_name, values["base_url"])
    return Model(**values)


def _build_parameters(section: Section) -> dict[str, Any]:
    """Return `params`, `drop` and `rename`. A null among the params drops that parameter."""
    params: dict[str, Any] = section.values.get("params", {})
    nulls = [name for name, value in params.items() if value is None]
    drop: tuple[str, ...] = section.values.get("drop", ())
    rename: dict[str, str] = section.values.get("rename", {})
    for name in drop:
        if params.get(name) is not None or name in rename:
            other = "params" if params.get(name) is not None else "rename"
            section.place_of("drop").report(f"must not list {name}, which {other} sets as well")
    return {
        "params": {name: value for name, value in params.items() if value is not None},
        "drop": frozenset([*drop, *nulls]),
        "rename": rename,
    }


def _find_provider_name(section: Section) -> str | None:
    """Return the provider that is set, or the one that the model is named after. `embedded` must be set."""
    name = section.values.get("name")
    inferred = name if name in PROVIDERS and name != EMBEDDED and not section.has("provider") else None
    found: str | None = section.values.get("provider", inferred)
    return found


def _check_keys_fit(section: Section, provider_name: str | None) -> None:
    if provider_name is None and section.has("provider"):
        return
    is_embedded = provider_name == EMBEDDED
    reason = "does not apply to models with" if is_embedded else "is only for models with"
    for key in _NEVER_EMBEDDED if is_embedded else _ONLY_EMBEDDED:
        if section.has(key):
            section.place_of(key).report(f"{reason} provider: {EMBEDDED}")


def _find_base_url(section: Section, provider: Provider | None, server: Server) -> str:
    default = provider.base_url if provider and not section.has("base_url") else ""
    url: str = section.values.get("base_url", default)
    if url and is_same_address(url, server.host, server.port):
        section.place_of("base_url").report(
            f"is the gateway's own address, port {server.port}: it would call itself; "
            "set the URL of another service, or change server.port",
        )
    if not url and "name" in section.values and not section.has("base_url") and not section.has("provider"):
        section.place_of("base_url").report(
            "is missing, and no provider is set: set one of the two "
            f"(providers: {', '.join(PROVIDERS)}){_suggest_provider(section)}",
        )
    return url


def _suggest_provider(section: Section) -> str:
    name = section.values["name"]
    if is_from_environment(section.place_of("name")):
        return ""
    if name == EMBEDDED or name in WEIGHT_NAMES:
        return f": an embedded model has provider: {EMBEDDED}"
    return suggest(name, PROVIDERS, SYNONYMS)


def _find_model_id(section: Section, provider_name: str | None) -> str:
    """Return the model's id at the upstream. If the name is only the provider's, the id must be set."""
    name: str = section.values.get("name", "")
    default = PROVIDERS[name].default_model if name and name == provider_name else name
    if default is None and not section.has("model"):
        section.place_of("model").report("is missing: the name is that of the provider, not of one of its models")
    return str(section.values.get("model", default))


def _check_credentials(section: Section, provider_name: str | None, base_url: str) -> None:
    provider = PROVIDERS.get(provider_name or "")
    has_key_header = any(name.lower() in _KEY_HEADERS for name in section.values.get("headers", {}))
    if section.has("api_key"):
        if any(name.lower() == "authorization" for name in section.values.get("headers", {})):
            section.place_of("api_key").report("is set twice: here and as the header Authorization")
    elif provider and provider.key_variable and base_url == provider.base_url and not has_key_header:
        variable = provider.key_variable
        section.place_of("api_key").report(
            f'is missing, and this provider needs one: write api_key: "${{{variable}}}", and set {variable} '
            "in the environment or in .env",
        )


def _build_weights(section: Section, folder: Path) -> Weights:
    values = section.values_for(Weights)
    values.pop("name", None)
    if section.has("path"):
        return Weights(**{**values, "path": _find_weights_file(section, folder)})
    key = "model" if section.has("model") else "name"
    name = section.values.get(key)
    if name is not None and name not in WEIGHT_NAMES:
        section.place_of(key).report(
            f"is not a known weight (known: {', '.join(WEIGHT_NAMES)}): set one of these as model, "
            "or the path of a GGUF file as path",
        )
    return Weights(name=name, **values)


def _find_weights_file(section: Section, folder: Path) -> Path | None:
    return find_path(section, "path", folder, Path.is_file, "file") if "path" in section.values else None
