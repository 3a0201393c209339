"""/healthz: the process runs. /readyz: it can answer."""

from aiohttp import web

from handlers.state import STATE


async def healthz(_: web.Request) -> web.Response:
    """Say that the process runs and its loop turns."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Say whether every model can be asked: 200, or 503 with the reasons."""
    reasons = list(request.app[STATE].not_ready())
    if reasons:
        return web.json_response({"status": "not ready", "reasons": reasons}, status=503)
    return web.json_response({"status": "ready"})
