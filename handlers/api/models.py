"""GET /v1/models and /v1/models/{id}."""

from typing import Any

from aiohttp import web

from config.settings import Mixture, Model, Settings
from handlers.context import CONTEXT
from handlers.errors import ApiError


async def list_models(request: web.Request) -> web.Response:
    """List what `model` may name: mixtures first, then the configured models."""
    return web.json_response({"object": "list", "data": list(_entries(request[CONTEXT].snapshot.settings).values())})


async def show_model(request: web.Request) -> web.Response:
    """Show one entry of the list; 404 naming what there is."""
    entries = _entries(request[CONTEXT].snapshot.settings)
    name = request.match_info["id"]
    if name not in entries:
        message = f"there is no model {name!r}; there is {', '.join(entries)}"
        raise ApiError(404, message, param="model", code="model_not_found")
    return web.json_response(entries[name])


def _entries(settings: Settings) -> dict[str, dict[str, Any]]:
    mixtures = {mixture.name: _mixture(mixture, settings) for mixture in settings.mixtures}
    return mixtures | {model.name: _model(model) for model in settings.models}


def _mixture(mixture: Mixture, settings: Settings) -> dict[str, Any]:
    members = [settings.model(name) for name in {*mixture.panel_models, mixture.critic.model}]
    capabilities = set(settings.model(mixture.critic.model).capabilities)
    if not any("vision" in settings.model(name).capabilities for name in mixture.panel_models):
        capabilities.discard("vision")
    windows = [member.context_tokens for member in members if member.context_tokens is not None]
    return {
        **_entry(mixture.name, "mom", capabilities, min(windows, default=None)),
        "panel": [proposer.name for proposer in mixture.panel],
        "critic": mixture.critic.model,
        "mode": mixture.mode,
    }


def _model(model: Model) -> dict[str, Any]:
    return _entry(model.name, model.provider or "upstream", set(model.capabilities), model.context_tokens)


def _entry(name: str, owner: str, capabilities: set[Any], context_window: int | None) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": owner,
        "capabilities": sorted(capabilities),
        "context_window": context_window,
    }
