"""The handlers of the pages below /ui."""

import threading
from datetime import UTC, datetime
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from aiohttp import web

from handlers.api.intake.naming import may_name
from handlers.context import CONTEXT
from handlers.traces.store import TraceStore
from handlers.ui.ask_view import build_ask_view
from handlers.ui.digest import RequestDigest, digest_trace
from handlers.ui.listing import ListQuery, build_listing, build_menus, sum_day
from handlers.ui.models.models_view import build_models_view, list_quirks
from handlers.ui.models.trust_view import build_trust_view, list_panels
from handlers.ui.rendering import get_traces, respond, respond_html, run_in_thread
from handlers.ui.request.request_page import render_request
from handlers.ui.templating import Context
from handlers.ui.usage_view import build_usage_view, find_unpriced, parse_days
from store.rules import DAY_S
from store.usage_report import COLUMNS, as_csv, as_json, group_usage

_log = structlog.get_logger(__name__)


async def list_page(request: web.Request) -> web.Response:
    """Show the list of requests.

    `part=list` gives its table alone, or 304 if nothing has changed; `part=running` the running requests alone.
    """
    store, snapshot = get_traces(request), request[CONTEXT].snapshot
    query, part = ListQuery.parse(request.query), request.query.get("part")
    running = store.running.snapshot(snapshot.pool.clock(), store.redact)
    if part == "running":
        return await respond("running.html", lambda: {"running": running, "n_running": len(store.running)})
    tag = store.tag
    if part == "list" and request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag, "Cache-Control": "no-store"})
    today = datetime.fromtimestamp(snapshot.unix_time(), UTC).date().isoformat()

    def build() -> Context:
        summaries = store.summaries()
        context = {"listing": build_listing(summaries, query), "day": sum_day(summaries, today)}
        if part == "list":
            return context
        return {
            **context,
            "nav": "requests",
            "script": "live",
            "tag": tag,
            "query": query,
            "menus": build_menus(summaries, query),
            "running": running,
            "n_running": len(store.running),
        }

    return await respond("list_rows.html" if part == "list" else "list.html", build, headers={"ETag": tag})


async def ask_page(request: web.Request) -> web.Response:
    """Show the form for a question; the answer comes from `POST /ui/ask`, and its trace is kept like any other."""
    get_traces(request)
    context = request[CONTEXT]
    view = build_ask_view(context.snapshot.settings, partial(may_name, snapshot=context.snapshot, key=context.key))
    return await respond("ask.html", lambda: {"nav": "ask", "script": "ask", "ask": view})


async def request_page(request: web.Request) -> web.Response:
    """Show one request; 404 if no trace of it is kept."""
    return await _show_request(request, is_file=False)


async def download(request: web.Request) -> web.Response:
    """Send the page of one request as a file; 404 if no trace of it is kept."""
    return await _show_request(request, is_file=True)


async def _show_request(request: web.Request, *, is_file: bool) -> web.Response:
    trace_id = request.match_info["id"]
    text = await run_in_thread(partial(get_traces(request).read, trace_id))
    if text is None:
        return await _show_missing(request, trace_id)
    headers = {"Content-Disposition": f'attachment; filename="{trace_id}.html"'} if is_file else {}
    base_url = f"{request.scheme}://{request.host}"
    workers = request[CONTEXT].snapshot.workers
    try:
        html = await render_request(text, base_url, is_file=is_file, workers=workers)
    except ValueError as error:
        _log.warning("a trace cannot be read", trace=trace_id, cause=str(error))
        return await _show_missing(request, trace_id)
    return respond_html(html, headers=headers)


async def _show_missing(request: web.Request, trace_id: str) -> web.Response:
    """Report that no trace of a request is kept, or that the request is still running."""
    view = {
        "nav": "requests",
        "trace_id": trace_id,
        "is_running": get_traces(request).running.has(trace_id),
        "search": ListQuery(q=trace_id).address(1),
    }
    return await respond("missing.html", lambda: view, status=404)


class Digests:
    """The digest of each kept trace, computed once: a page reads only the traces that are new. Thread-safe.

    It holds a few kilobytes a trace, and drops those that the store has dropped.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, RequestDigest | None] = {}
        self._lock = threading.Lock()

    def load(self, store: TraceStore) -> list[RequestDigest]:
        """Return the digests of all traces that can be read, the newest first. Blocks: call it in a thread."""
        with self._lock:  # a second thread waits, and finds the work done
            known = self._by_id
            self._by_id = {
                trace_id: known[trace_id] if trace_id in known else _load_digest(store, trace_id)
                for trace_id in store.ids()
            }
            return [each for each in self._by_id.values() if each is not None]


_DIGESTS: WeakKeyDictionary[TraceStore, Digests] = WeakKeyDictionary()


async def models_page(request: web.Request) -> web.Response:
    """Show the statistics; of one mixture with `?mixture=`, of the newest requests with `?span=last`."""
    store = get_traces(request)
    digests = _DIGESTS.setdefault(store, Digests())
    mixture, span = request.query.get("mixture", ""), request.query.get("span", "all")
    snapshot = request[CONTEXT].snapshot
    quirks = snapshot.pool.quirks()
    counts = [] if snapshot.feedback is None else await snapshot.feedback.read_counts()
    panels = {name: panel for name, panel in list_panels(snapshot.settings).items() if mixture in ("", name)}

    def build() -> dict[str, Any]:
        requests = digests.load(store)
        view = build_models_view(requests, mixture=mixture, span=span)
        trust = build_trust_view(counts, panels, requests)
        return {"nav": "models", "quirks": list_quirks(quirks), "trust": trust, **view}

    return await respond("models.html", build)


async def usage_page(request: web.Request) -> web.Response:
    """Show the usage of the last `?days=`; with `?format=csv` or `json` send it as a file."""
    get_traces(request)
    snapshot = request[CONTEXT].snapshot
    n_days, form = parse_days(request.query.get("days")), request.query.get("format")
    today = int(snapshot.unix_time() // DAY_S)
    usage = await snapshot.store.read_usage(today - n_days + 1, today) if snapshot.store is not None else {}
    unpriced, currency = find_unpriced(snapshot.settings), snapshot.settings.server.currency
    if form in _FILES:
        write, content_type = _FILES[form]
        text = await run_in_thread(lambda: write(group_usage(usage, COLUMNS, unpriced), COLUMNS, currency))
        headers = {"Content-Disposition": f'attachment; filename="usage.{form}"', "Cache-Control": "no-store"}
        return web.Response(text=text, content_type=content_type, charset="utf-8", headers=headers)

    def build() -> dict[str, Any]:
        return {"nav": "usage", **build_usage_view(usage, unpriced, currency, today=today, n_days=n_days)}

    return await respond("usage.html", build)


_FILES = {"csv": (as_csv, "text/csv"), "json": (as_json, "application/json")}
"""How to write usage in each format, and its media type."""


def _load_digest(store: TraceStore, trace_id: str) -> RequestDigest | None:
    trace = store.load(trace_id)
    return None if trace is None else digest_trace(trace)
