"""The routes of the pages."""

from aiohttp import web

from handlers.api.apis import PAGE_APIS
from handlers.ui import pages, routes


def test_every_route_has_a_handler() -> None:
    """Handlers are imported with their first request, so a misspelt name would fail only then."""
    app = web.Application()
    routes.add_to(app)
    paths = {route.resource.canonical for route in app.router.routes() if route.resource is not None}
    assert paths == {"/", *routes.HANDLERS, *PAGE_APIS}
    assert all(callable(getattr(pages, name)) for name in routes.HANDLERS.values())
