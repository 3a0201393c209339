"""Reply with pages, rendered in a thread of their own."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from aiohttp import web

from handlers.context import CONTEXT
from handlers.traces.store import TraceStore
from handlers.ui.error_page import pages_are_off
from handlers.ui.templating import Context, render, security_headers

_T = TypeVar("_T")
_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pages")


def get_traces(request: web.Request) -> TraceStore:
    """Return the traces that the pages show. Raises ApiError (404) if the pages are off."""
    traces = request[CONTEXT].snapshot.traces
    if traces is None:
        raise pages_are_off()
    return traces


async def respond(
    template: str, build: Callable[[], Context], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return a reply with a template's page, whose context `build` returns; both run in the pages' thread."""
    return respond_html(await run_in_thread(lambda: render(template, build())), status=status, headers=headers)


def respond_html(html: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a reply with a page."""
    headers = {**security_headers(), **(headers or {})}
    return web.Response(body=html, status=status, content_type="text/html", charset="utf-8", headers=headers)


async def run_in_thread(work: Callable[[], _T]) -> _T:
    """Run slow work in the pages' own thread: a single one, so that many open pages delay no answer."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, work)
