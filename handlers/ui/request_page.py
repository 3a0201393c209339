"""GET /ui/requests/{id}: one request's whole story; and the same as a file that needs nothing else."""

from functools import partial

from aiohttp import web

from handlers.ui.rendering import aside, page, traces_of
from handlers.ui.story import story


async def request_page(request: web.Request) -> web.Response:
    """Show one request; 404 where no trace of it is kept."""
    return await _page(request, is_file=False)


async def download(request: web.Request) -> web.Response:
    """Give the page of one request as a file; 404 where no trace of it is kept."""
    return await _page(request, is_file=True)


async def _page(request: web.Request, *, is_file: bool) -> web.Response:
    trace_id = request.match_info["id"]
    trace = await aside(partial(traces_of(request).document, trace_id))
    if trace is None:
        return await page("missing.html", lambda: {"nav": "requests"}, status=404)
    headers = {"Content-Disposition": f'attachment; filename="{trace_id}.html"'} if is_file else {}
    return await page(
        "request.html", lambda: {"nav": "requests", "story": story(trace), "file": is_file}, headers=headers
    )
