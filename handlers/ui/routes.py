"""The routes of the pages below /ui."""

import asyncio
from importlib import import_module

from aiohttp import web
from aiohttp.typedefs import Handler

HANDLERS = {
    "/ui": "list_page",
    "/ui/models": "models_page",
    "/ui/requests/{id}": "request_page",
    "/ui/requests/{id}/download": "download",
}
"""The handler of each path, by its name in pages.py."""


def add_to(app: web.Application) -> None:
    """Add the routes of the pages; each replies 404 while the gateway keeps no traces."""
    for path, name in HANDLERS.items():
        app.router.add_get(path, _import_page(name))


def _import_page(name: str) -> Handler:
    """Return the handler of a page, imported with its first request: most gateways never show one."""

    async def show(request: web.Request) -> web.StreamResponse:
        handler: Handler = getattr(await asyncio.to_thread(import_module, "handlers.ui.pages"), name)
        return await handler(request)

    return show
