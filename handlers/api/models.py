"""GET /v1/models and /v1/models/{id}: the mixtures, models and aliases that a client may name."""

from typing import Any

from aiohttp import web

from config.settings import Mixture, Model, Settings
from handlers.context import CONTEXT
from handlers.errors import unknown_model


async def list_models(request: web.Request) -> web.Response:
    """List the names that `model` may have: mixtures, configured models, and aliases without a wildcard.

    Clients that send `anthropic-version` get Anthropic's shape.
    """
    entries = list(_list_entries(request[CONTEXT].snapshot.settings).values())
    if "anthropic-version" in request.headers:
        found = [_to_anthropic(entry) for entry in entries]
        page = {"first_id": found[0]["id"], "last_id": found[-1]["id"], "has_more": False}
        return web.json_response({"data": found, **page})
    return web.json_response({"object": "list", "data": entries})


async def show_model(request: web.Request) -> web.Response:
    """Show the entry of any name that a request may use; an unknown one is a 404 that lists the known ones."""
    settings = request[CONTEXT].snapshot.settings
    name = request.match_info["id"]
    entry = _find_entry(name, settings)
    if entry is None:
        raise unknown_model(name, _list_entries(settings))
    return web.json_response(_to_anthropic(entry) if "anthropic-version" in request.headers else entry)


def _find_entry(name: str, settings: Settings) -> dict[str, Any] | None:
    target = settings.resolve(name)
    if target is None:
        return None
    entry = _list_entries(settings)[target]
    return entry if name == target else {**entry, "id": name, "alias_of": target}


def _to_anthropic(entry: dict[str, Any]) -> dict[str, Any]:
    name = entry["id"]
    found = {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}
    return found if entry["context_window"] is None else {**found, "max_input_tokens": entry["context_window"]}


def _list_entries(settings: Settings) -> dict[str, dict[str, Any]]:
    mixtures = {mixture.name: _describe_mixture(mixture, settings) for mixture in settings.mixtures}
    entries = mixtures | {model.name: _describe_model(model) for model in settings.models}
    aliases = {
        alias.pattern: {**entries[alias.target], "id": alias.pattern, "alias_of": alias.target}
        for alias in settings.aliases
        if alias.is_exact
    }
    return entries | aliases


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
