"""The names that a client may use: the mixtures, models and aliases that its key permits.

A name that the key does not permit is treated as unknown: no reply shows whether it exists.
"""

from config.settings import ApiKey
from handlers.context import Snapshot
from handlers.errors import unknown_model


def may_name(name: str, snapshot: Snapshot, key: ApiKey | None) -> bool:
    """Whether a key permits a name: itself, the alias that it matches, or the mixture or model that it stands for."""
    if key is None or key.models is None or name in key.models:
        return True
    if _is_name(name, snapshot):
        return False
    alias = snapshot.settings.find_alias(name)
    return alias is not None and (alias.pattern in key.models or alias.target in key.models)


def resolve_name(name: str | None, snapshot: Snapshot, key: ApiKey | None) -> str:
    """Return the mixture or model that a name or an alias stands for; None stands for the default.

    Raises ApiError (404), with the names that the key permits, for any other name.
    """
    if name is None:
        return _find_default(snapshot, key)
    if may_name(name, snapshot, key):
        if _is_name(name, snapshot):
            return name
        alias = snapshot.settings.find_alias(name)
        if alias is not None:
            return alias.target
    if snapshot.settings.server.unknown_model == "default":
        return _find_default(snapshot, key)
    raise unknown_model(name, list_names(snapshot, key))


def check_model(name: str, param: str, snapshot: Snapshot, key: ApiKey | None) -> None:
    """Check the name of a model in a request's field `param`. Raises ApiError (404) with the models that it may be."""
    if name not in snapshot.models or not may_name(name, snapshot, key):
        raise unknown_model(name, [each for each in snapshot.models if may_name(each, snapshot, key)], param)


def list_names(snapshot: Snapshot, key: ApiKey | None) -> list[str]:
    """Return the names that a key permits: mixtures, models, aliases, each in the order of config.yaml."""
    aliases = (alias.pattern for alias in snapshot.settings.aliases)
    return [name for name in (*snapshot.mixtures, *snapshot.models, *aliases) if may_name(name, snapshot, key)]


def _is_name(name: str, snapshot: Snapshot) -> bool:
    return name in snapshot.mixtures or name in snapshot.models


def _find_default(snapshot: Snapshot, key: ApiKey | None) -> str:
    """Return the first mixture that a key permits, else the target of its first other name."""
    first = snapshot.settings.mixtures[0].name if key is None else list_names(snapshot, key)[0]
    alias = None if _is_name(first, snapshot) else snapshot.settings.find_alias(first)
    return first if alias is None else alias.target
