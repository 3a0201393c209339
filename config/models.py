"""From what a model's entry says, and what its provider is known for, to a `Model`."""

from pathlib import Path
from typing import Any

from config.money import price
from config.providers import ALL_CAPABILITIES, EMBEDDED, PROVIDERS, WEIGHT_NAMES, Provider
from config.reader import Record, meant
from config.settings import Model, Server, Weights
from config.values import is_from_environment, is_same_address

_ONLY_EMBEDDED = ("path", "threads", "slots")
_NEVER_EMBEDDED = ("base_url", "api_key", "headers")
_KEY_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})
_AS_GIVEN = (
    "params",
    "headers",
    "timeout_s",
    "connect_timeout_s",
    "first_byte_timeout_s",
    "idle_timeout_s",
    "retries",
    "max_concurrency",
    "context_tokens",
)


def model(record: Record, server: Server, folder: Path) -> Model:
    """Return the model of one entry; what is wrong with it is noted, and then the model must not be used.

    `server` is where the gateway will listen, and `folder` what a relative path starts from.
    """
    values = record.values
    name: str = values.get("name", "")
    provider_name = _provider_name(record)
    provider = PROVIDERS.get(provider_name or "")
    _check_keys_fit(record, provider_name)
    as_given = {key: values[key] for key in _AS_GIVEN if key in values}
    if provider_name == EMBEDDED:
        weights = _weights(record, folder)
        as_given = {"max_concurrency": weights.slots, **as_given, "context_tokens": weights.context_tokens}
        base_url, model_id = "", values.get("model", name)
    else:
        weights = None
        base_url, model_id = _base_url(record, provider, server), _model_id(record, provider_name)
        _check_credentials(record, provider_name, base_url)
    default_capabilities = provider.capabilities if provider else ALL_CAPABILITIES
    hedge: Record | None = values.get("hedge")
    return Model(
        name=name,
        base_url=base_url,
        provider=provider_name,
        api_key=values.get("api_key"),
        model=model_id,
        capabilities=frozenset(values.get("capabilities", default_capabilities)),
        weights=weights,
        price=price(record, provider_name),
        hedge_after_s=hedge.values.get("after_s") if hedge else None,
        **as_given,
    )


def _provider_name(record: Record) -> str | None:
    """Return the provider that is given, or that the model is named after. An embedded model says so."""
    name = record.values.get("name")
    inferred = name if name in PROVIDERS and name != EMBEDDED and not record.has("provider") else None
    given: str | None = record.values.get("provider", inferred)
    return given


def _check_keys_fit(record: Record, provider_name: str | None) -> None:
    if provider_name is None and record.has("provider"):
        return
    is_embedded = provider_name == EMBEDDED
    reason = "has no meaning with" if is_embedded else "is only for models with"
    for key in _NEVER_EMBEDDED if is_embedded else _ONLY_EMBEDDED:
        if record.has(key):
            record.at(key).refuse(f"{reason} provider: {EMBEDDED}")


def _base_url(record: Record, provider: Provider | None, server: Server) -> str:
    default = provider.base_url if provider and not record.has("base_url") else ""
    url: str = record.values.get("base_url", default)
    if url and is_same_address(url, server.host, server.port):
        record.at("base_url").refuse(
            f"is the gateway's own address, port {server.port}: it would call itself; "
            "give the URL of another service, or change server.port",
        )
    if not url and "name" in record.values and not record.has("base_url") and not record.has("provider"):
        record.at("base_url").refuse(
            "is missing, and no provider is named: give one of the two "
            f"(providers: {', '.join(PROVIDERS)}){_provider_hint(record)}",
        )
    return url


def _provider_hint(record: Record) -> str:
    name = record.values["name"]
    if is_from_environment(record.at("name")):
        return ""
    if name == EMBEDDED or name in WEIGHT_NAMES:
        return f": an embedded model has provider: {EMBEDDED}"
    return meant(name, PROVIDERS)


def _model_id(record: Record, provider_name: str | None) -> str:
    """Return the id at the upstream. A name that is no more than its provider's does not say which model."""
    name: str = record.values.get("name", "")
    default = PROVIDERS[name].default_model if name and name == provider_name else name
    if default is None and not record.has("model"):
        record.at("model").refuse("is missing: the name says the provider, but not which of its models")
    return str(record.values.get("model", default))


def _check_credentials(record: Record, provider_name: str | None, base_url: str) -> None:
    provider = PROVIDERS.get(provider_name or "")
    has_key_header = any(name.lower() in _KEY_HEADERS for name in record.values.get("headers", {}))
    if record.has("api_key"):
        if any(name.lower() == "authorization" for name in record.values.get("headers", {})):
            record.at("api_key").refuse("is given twice: here, and as the header Authorization")
    elif provider and provider.key_variable and base_url == provider.base_url and not has_key_header:
        variable = provider.key_variable
        record.at("api_key").refuse(
            f'is missing, and this provider needs one: write api_key: "${{{variable}}}", and set {variable} '
            "in the environment or in .env",
        )


def _weights(record: Record, folder: Path) -> Weights:
    how: dict[str, Any] = {
        key: record.values[key] for key in ("context_tokens", "slots", "threads") if key in record.values
    }
    if record.has("path"):
        return Weights(path=_path(record, folder), **how)
    key = "model" if record.has("model") else "name"
    name = record.values.get(key)
    if name is not None and name not in WEIGHT_NAMES:
        record.at(key).refuse(
            f"is no known weight (known: {', '.join(WEIGHT_NAMES)}): give one of these as model, "
            "or the path of a GGUF file as path",
        )
    return Weights(name=name, **how)


def _path(record: Record, folder: Path) -> Path | None:
    if "path" not in record.values:
        return None
    place = record.at("path")
    try:
        path = (folder / Path(record.values["path"]).expanduser()).resolve()
        is_file = path.is_file()
    except (OSError, RuntimeError, ValueError):  # a home that is unknown, a folder that is closed, a NUL
        place.refuse("cannot be looked up")
        return None
    if not is_file:
        place.refuse("is not a file; a relative path starts from the folder of the configuration file")
    return path
