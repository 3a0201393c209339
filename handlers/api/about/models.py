"""GET /v1/models and /v1/models/{id}: the mixtures, models and aliases that a client may name."""

from typing import Any

from aiohttp import web

from config.settings import ApiKey, Mixture, Model, Settings
from handlers.api.intake.naming import may_name, resolve_name
from handlers.context import CONTEXT, Snapshot
from handlers.json_reply import respond_json


async def list_models(request: web.Request) -> web.Response:
    """List the names that `model` may have: mixtures, configured models, and aliases without a wildcard.

    Only names that the client's key permits. Clients that send `anthropic-version` get Anthropic's shape.
    """
    context = request[CONTEXT]
    entries = list(_list_entries(context.snapshot, context.key).values())
    if "anthropic-version" in request.headers:
        found = [_to_anthropic(entry) for entry in entries]
        ends = [each["id"] for each in found] or [None]
        return respond_json({"data": found, "first_id": ends[0], "last_id": ends[-1], "has_more": False})
    return respond_json({"object": "list", "data": entries})


async def show_model(request: web.Request) -> web.Response:
    """Show the entry of any name that a request may use; an unknown one is a 404 that lists the known ones."""
    context, name = request[CONTEXT], request.match_info["id"]
    target = resolve_name(name, context.snapshot, context.key)
    entry = _describe(target, context.snapshot)
    if name != target:
        entry |= {"id": name, "alias_of": target}
    entry = _hide_names(entry, context.snapshot, context.key)
    return respond_json(_to_anthropic(entry) if "anthropic-version" in request.headers else entry)


def _to_anthropic(entry: dict[str, Any]) -> dict[str, Any]:
    name = entry["id"]
    found = {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}
    return found if entry["context_window"] is None else {**found, "max_input_tokens": entry["context_window"]}


def _list_entries(snapshot: Snapshot, key: ApiKey | None) -> dict[str, dict[str, Any]]:
    entries = {name: _describe(name, snapshot) for name in (*snapshot.mixtures, *snapshot.models)}
    entries |= {
        alias.pattern: {**entries[alias.target], "id": alias.pattern, "alias_of": alias.target}
        for alias in snapshot.settings.aliases
        if alias.is_exact
    }
    permitted = ((name, entry) for name, entry in entries.items() if may_name(name, snapshot, key))
    return {name: _hide_names(entry, snapshot, key) for name, entry in permitted}


def _hide_names(entry: dict[str, Any], snapshot: Snapshot, key: ApiKey | None) -> dict[str, Any]:
    """Return an entry without the fields that show names which the key does not permit."""
    shown = {
        "panel": [name.partition("#")[0] for name in entry.get("panel", ())],
        "critic": [entry["critic"]] if entry.get("critic") else [],
        "alias_of": [entry["alias_of"]] if "alias_of" in entry else [],
    }
    hidden = {field for field, names in shown.items() if not all(may_name(name, snapshot, key) for name in names)}
    return {field: value for field, value in entry.items() if field not in hidden}


def _describe(name: str, snapshot: Snapshot) -> dict[str, Any]:
    mixture = snapshot.mixtures.get(name)
    if mixture is None:
        return _describe_model(snapshot.models[name])
    return _describe_mixture(mixture, snapshot.settings)


def _describe_mixture(mixture: Mixture, settings: Settings) -> dict[str, Any]:
    members = [settings.model(name) for name in {*mixture.panel_models, mixture.authors[0]}]
    capabilities = set(settings.model(mixture.authors[0]).capabilities)
    if not any("vision" in settings.model(name).capabilities for name in mixture.panel_models):
        capabilities.discard("vision")
    windows = [member.context_tokens for member in members if member.context_tokens is not None]
    return {
        **_build_entry(mixture.name, "mom", capabilities, min(windows, default=None)),
        "panel": [proposer.name for proposer in mixture.panel],
        "critic": None if mixture.critic is None else mixture.critic.model,
        "mode": mixture.mode,
    }


def _describe_model(model: Model) -> dict[str, Any]:
    return _build_entry(model.name, model.provider or "upstream", set(model.capabilities), model.context_tokens)


def _build_entry(name: str, owner: str, capabilities: set[Any], context_window: int | None) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": owner,
        "capabilities": sorted(capabilities),
        "context_window": context_window,
    }
