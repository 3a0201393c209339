"""The handlers of the pages below /ui."""

import threading
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from aiohttp import web

from handlers.traces.store import TraceStore
from handlers.ui.digest import RequestDigest, digest
from handlers.ui.listing import Asked, listed, options
from handlers.ui.models_view import view
from handlers.ui.rendering import Context, aside, page, traces_of
from handlers.ui.story import story


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


class Digests:
    """The digest of each kept trace, made once: what comes new is all that a page has to read. For any thread.

    It holds a few kilobytes a trace, and lets go of those that the store has dropped.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, RequestDigest | None] = {}
        self._lock = threading.Lock()

    def of(self, store: TraceStore) -> list[RequestDigest]:
        """Return the digests of all traces that can be read, the newest first. Blocks: call it in a thread."""
        with self._lock:  # who comes second finds the work done
            known = self._by_id
            self._by_id = {
                trace_id: known[trace_id] if trace_id in known else _digested(store, trace_id)
                for trace_id in store.ids()
            }
            return [each for each in self._by_id.values() if each is not None]


_DIGESTS: WeakKeyDictionary[TraceStore, Digests] = WeakKeyDictionary()


async def models_page(request: web.Request) -> web.Response:
    """Show the statistics; of one mixture with `?mixture=`, of the newest requests with `?span=last`."""
    store = traces_of(request)
    digests = _DIGESTS.setdefault(store, Digests())
    mixture, span = request.query.get("mixture", ""), request.query.get("span", "all")

    def build() -> dict[str, Any]:
        return {"nav": "models", **view(digests.of(store), mixture=mixture, span=span)}

    return await page("models.html", build)


def _digested(store: TraceStore, trace_id: str) -> RequestDigest | None:
    document = store.document(trace_id)
    return None if document is None else digest(document)
