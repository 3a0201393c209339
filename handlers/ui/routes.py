"""The routes of the pages below /ui."""

import asyncio
from importlib import import_module

from aiohttp import web
from aiohttp.typedefs import Handler

from handlers.context import CONTEXT

_HOME = "/"
_FIRST_PAGE = "/ui"

HANDLERS = {
    "/ui": "list_page",
    "/ui/models": "models_page",
    "/ui/requests/{id}": "request_page",
    "/ui/requests/{id}/download": "download",
}
"""The handler of each path, by its name in pages.py."""


def add_to(app: web.Application) -> None:
    """Add the routes of the pages; each replies 404 while the gateway keeps no traces."""
    app.router.add_get(_HOME, _redirect_browsers)
    for path, name in HANDLERS.items():
        app.router.add_get(path, _import_page(name))


async def _redirect_browsers(request: web.Request) -> web.StreamResponse:
    """Lead a browser from / to the pages; 404 for programs, and while the pages are off."""
    has_pages = request[CONTEXT].snapshot.traces is not None
    if has_pages and "text/html" in request.headers.get("Accept", ""):
        return web.Response(status=302, headers={"Location": _FIRST_PAGE, "Cache-Control": "no-store"})
    raise web.HTTPNotFound


def _import_page(name: str) -> Handler:
    """Return the handler of a page, imported with its first request: most gateways never show one."""

    async def show(request: web.Request) -> web.StreamResponse:
        handler: Handler = getattr(await asyncio.to_thread(import_module, "handlers.ui.pages"), name)
        return await handler(request)

    return show
