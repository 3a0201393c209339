"""The routes of the pages below /ui."""

import asyncio
from importlib import import_module

from aiohttp import web
from aiohttp.typedefs import Handler


def add_to(app: web.Application) -> None:
    """Add the routes of the pages; each replies 404 while the gateway keeps no traces."""
    app.router.add_get("/ui", _import_page("list_page"))
    app.router.add_get("/ui/models", _import_page("models_page"))
    app.router.add_get("/ui/requests/{id}", _import_page("request_page"))
    app.router.add_get("/ui/requests/{id}/download", _import_page("download"))


def _import_page(name: str) -> Handler:
    """Return the handler of a page, imported with its first request: most gateways never show one."""

    async def show(request: web.Request) -> web.StreamResponse:
        handler: Handler = getattr(await asyncio.to_thread(import_module, "handlers.ui.pages"), name)
        return await handler(request)

    return show
