"""The routes of the pages below /ui."""

import asyncio
from functools import wraps
from importlib import import_module

from aiohttp import web
from aiohttp.typedefs import Handler

from handlers.api.apis import PAGE_APIS
from handlers.api.exchange import answering
from handlers.api.intake.receive import meet_expectation
from handlers.context import CONTEXT
from handlers.middleware import admit
from handlers.ui.error_page import pages_are_off, wants_page

_HOME = "/"
_FIRST_PAGE = "/ui"

HANDLERS = {
    "/ui": "list_page",
    "/ui/ask": "ask_page",
    "/ui/models": "models_page",
    "/ui/usage": "usage_page",
    "/ui/requests/{id}": "request_page",
    "/ui/requests/{id}/download": "download",
}
"""The handler of each path, by its name in pages.py."""


def add_to(app: web.Application) -> None:
    """Add the routes of the pages; each replies 404 while the gateway keeps no traces."""
    app.router.add_get(_HOME, _redirect_browsers)
    for path, api in PAGE_APIS.items():
        app.router.add_post(path, _require_pages(admit(answering(api))), expect_handler=meet_expectation)
    for path, name in HANDLERS.items():
        app.router.add_get(path, _import_page(name))


def _require_pages(handler: Handler) -> Handler:
    """Decorate a handler that exists while the pages do."""

    @wraps(handler)
    async def handle(request: web.Request) -> web.StreamResponse:
        if request[CONTEXT].snapshot.traces is None:
            raise web.HTTPNotFound
        return await handler(request)

    return handle


async def _redirect_browsers(request: web.Request) -> web.StreamResponse:
    """Lead a browser from / to the pages; 404 for programs, and while the pages are off."""
    if not wants_page(request):
        raise web.HTTPNotFound
    if request[CONTEXT].snapshot.traces is None:
        raise pages_are_off()
    return web.Response(status=302, headers={"Location": _FIRST_PAGE, "Cache-Control": "no-store"})


def _import_page(name: str) -> Handler:
    """Return the handler of a page, imported with its first request: most gateways never show one."""

    async def show(request: web.Request) -> web.StreamResponse:
        handler: Handler = getattr(await asyncio.to_thread(import_module, "handlers.ui.pages"), name)
        return await handler(request)

    return show
