"""GET /ui: the requests, newest first."""

from aiohttp import web

from handlers.ui.listing import Asked, listed, options
from handlers.ui.rendering import Context, page, traces_of


async def list_page(request: web.Request) -> web.Response:
    """Show the list; with `part=list` its table alone, and 304 as long as nothing has come."""
    store = traces_of(request)
    asked = Asked.of(request.query)
    is_part = request.query.get("part") == "list"
    tag = store.tag
    if is_part and request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag, "Cache-Control": "no-store"})

    def build() -> Context:
        summaries = store.summaries()
        listing = listed(summaries, asked)
        if is_part:
            return {"listing": listing}
        choices = options(summaries, asked)
        return {
            "nav": "requests",
            "live": True,
            "tag": tag,
            "asked": asked,
            "options": choices,
            "listing": listing,
        }

    return await page("list_rows.html" if is_part else "list.html", build, headers={"ETag": tag})
