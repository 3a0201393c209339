"""GET /healthz (liveness) and GET /readyz (readiness)."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from handlers.context import CONTEXT
from handlers.gate.admission import ADMISSION
from handlers.gate.body_budget import BODY_BUDGET
from handlers.lifecycle.shutdown import SHUTDOWN
from upstream.breaker import State as BreakerState
from upstream.breaker import Status


async def healthz(_: web.Request) -> web.Response:
    """Report liveness: the process runs and its event loop turns."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Report readiness: 200 if models can be asked, else 503 with the reasons.

    The reply also has the circuit breakers that are not closed, which do not make the gateway unready because the other
    models answer; and how many chat requests are being received, wait and run.
    """
    admission, snapshot = request.app[ADMISSION], request[CONTEXT].snapshot
    load = {
        "breakers": _list_open_breakers(snapshot.pool.breakers()),
        "requests": {
            "receiving": request.app[BODY_BUDGET].n_bodies - admission.waiting,
            "waiting": admission.waiting,
            "running": admission.running,
        },
    }
    if request.app[SHUTDOWN].has_begun:
        return web.json_response({"status": "stopping", "reasons": ["the gateway is stopping"], **load}, status=503)
    reasons = list(snapshot.not_ready())
    if reasons:
        return web.json_response({"status": "not ready", "reasons": reasons, **load}, status=503)
    return web.json_response({"status": "ready", **load})


def _list_open_breakers(breakers: Mapping[str, Status]) -> dict[str, dict[str, Any]]:
    return {
        model: {"state": str(status.state), "reason": status.reason, "wait_s": round(status.wait_s, 1)}
        for model, status in breakers.items()
        if status.state is not BreakerState.CLOSED
    }
