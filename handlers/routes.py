"""Which path leads to which handler, and what stands around all of them."""

from aiohttp import web

from handlers import chat, health, models
from handlers.middleware import observe, stamp


def add_to(app: web.Application) -> None:
    """Add every route, and what goes with every reply, to an application that has its STATE."""
    app.middlewares.append(observe)
    app.on_response_prepare.append(stamp)
    app.router.add_post("/v1/chat/completions", chat.chat_completions)
    app.router.add_get("/v1/models", models.list_models)
    app.router.add_get("/v1/models/{id:.+}", models.show_model)
    app.router.add_get("/healthz", health.healthz)
    app.router.add_get("/readyz", health.readyz)
