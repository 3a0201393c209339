"""The trace pages: which address leads to which page."""

import asyncio
from importlib import import_module

from aiohttp import web
from aiohttp.typedefs import Handler


def add_to(app: web.Application) -> None:
    """Add the pages; they are there for requests whose state keeps traces, and 404 for others."""
    app.router.add_get("/ui", _page("list_page"))
    app.router.add_get("/ui/models", _page("models_page"))
    app.router.add_get("/ui/requests/{id}", _page("request_page"))
    app.router.add_get("/ui/requests/{id}/download", _page("download"))


def _page(name: str) -> Handler:
    """Return the handler of a page. It is imported with its first request: most gateways never show one."""

    async def shown(request: web.Request) -> web.StreamResponse:
        handler: Handler = getattr(await asyncio.to_thread(import_module, "handlers.ui.pages"), name)
        return await handler(request)

    return shown
