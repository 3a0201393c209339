"""/healthz: the process runs. /readyz: it can answer."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from handlers.context import CONTEXT
from handlers.gate.admission import ADMISSION
from handlers.lifecycle.shutdown import SHUTDOWN
from upstream.breaker import State as BreakerState
from upstream.breaker import Status


async def healthz(_: web.Request) -> web.Response:
    """Say that the process runs and its loop turns."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Say whether models can be asked: 200, or 503 with the reasons.

    Beside it stand the circuit breakers that are not closed, which are no reason, as the other models answer; and how
    many chat requests run and wait.
    """
    admission, snapshot = request.app[ADMISSION], request[CONTEXT].snapshot
    told = {
        "breakers": _not_closed(snapshot.pool.breakers()),
        "requests": {"running": admission.running, "waiting": admission.waiting},
    }
    if request.app[SHUTDOWN].begun:
        return web.json_response({"status": "stopping", "reasons": ["the gateway is stopping"], **told}, status=503)
    reasons = list(snapshot.not_ready())
    if reasons:
        return web.json_response({"status": "not ready", "reasons": reasons, **told}, status=503)
    return web.json_response({"status": "ready", **told})


def _not_closed(breakers: Mapping[str, Status]) -> dict[str, dict[str, Any]]:
    return {
        model: {"state": str(status.state), "reason": status.reason, "wait_s": round(status.wait_s, 1)}
        for model, status in breakers.items()
        if status.state is not BreakerState.CLOSED
    }
