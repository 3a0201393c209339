"""GET /healthz (liveness) and GET /readyz (readiness)."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from handlers.context import CONTEXT
from handlers.gate.admission import ADMISSION
from handlers.gate.body_budget import BODY_BUDGET
from handlers.json_reply import respond_json
from handlers.lifecycle.shutdown import SHUTDOWN
from handlers.telemetry.cache_watch import CACHE_WATCH
from store.guarded_store import GuardedStore
from upstream.breaker import State as BreakerState
from upstream.breaker import Status


async def healthz(_: web.Request) -> web.Response:
    """Report liveness: the process runs and its event loop turns."""
    return respond_json({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Report readiness: 200 if models can be asked, else 503 with the reasons.

    The reply also has the circuit breakers that are not closed, which do not make the gateway unready because the other
    models answer; how many chat requests are being received, wait and run; and whether the store works, whose failure
    makes the gateway unready only if requests are refused without it. `uncached` has the models that do not use a
    prompt cache, with the number of turns, if there are any.
    """
    admission, snapshot = request.app[ADMISSION], request[CONTEXT].snapshot
    load: dict[str, Any] = {
        "breakers": _list_open_breakers(snapshot.pool.breakers()),
        "requests": {
            "receiving": request.app[BODY_BUDGET].n_bodies - admission.waiting,
            "waiting": admission.waiting,
            "running": admission.running,
        },
        "store": _describe_store(snapshot.store),
    }
    if uncached := request.app[CACHE_WATCH].uncached():
        load["uncached"] = dict(uncached)
    if request.app[SHUTDOWN].has_begun:
        return respond_json({"status": "stopping", "reasons": ["the gateway is stopping"], **load}, status=503)
    reasons = list(snapshot.not_ready())
    if reasons:
        return respond_json({"status": "not ready", "reasons": reasons, **load}, status=503)
    return respond_json({"status": "ready", **load})


def _describe_store(store: GuardedStore | None) -> dict[str, str]:
    if store is None or not store.problem:
        return {"state": "ok"}
    effect = "budgets and rates are refused" if store.refuses else "budgets and rates count in this process alone"
    return {"state": "failed", "reason": store.problem, "effect": effect}


def _list_open_breakers(breakers: Mapping[str, Status]) -> dict[str, dict[str, Any]]:
    return {
        model: {"state": str(status.state), "reason": status.reason, "wait_s": round(status.wait_s, 1)}
        for model, status in breakers.items()
        if status.state is not BreakerState.CLOSED
    }
