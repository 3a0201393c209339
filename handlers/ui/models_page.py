"""GET /ui/models: what each member of a panel is worth, by the kept traces."""

import threading
from typing import Any
from weakref import WeakKeyDictionary

from aiohttp import web

from handlers.trace_store import TraceStore
from handlers.ui.digest import RequestDigest, digest
from handlers.ui.models_view import view
from handlers.ui.rendering import page, traces_of


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
