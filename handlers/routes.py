"""Which path leads to which handler, and what stands around all of them."""

from collections.abc import Callable

from aiohttp import web

from handlers.api import health, models, openapi
from handlers.api.chat import handler
from handlers.gate.admission import ADMISSION, Admission
from handlers.gate.rate_limit import RateLimits
from handlers.gate.spending import SPENDING, Spending
from handlers.lifecycle.shutdown import SHUTDOWN, Shutdown
from handlers.middleware import RATE_LIMITS, admitted, observe, stamp
from handlers.telemetry.metrics import METRICS, Metrics, metrics
from handlers.telemetry.spans import SPANS
from handlers.ui import routes as ui


def add_to(app: web.Application, unix_time: Callable[[], float]) -> None:
    """Add every route, and what goes around every request, to an application that has SNAPSHOTS when it runs."""
    app[ADMISSION] = Admission()
    app[RATE_LIMITS] = RateLimits()
    app[SPENDING] = Spending(unix_time)
    app[SHUTDOWN] = Shutdown(app[ADMISSION])
    app[METRICS] = Metrics()
    app[SPANS] = None
    app.on_shutdown.append(_cut)
    app.middlewares.append(observe)
    app.on_response_prepare.append(stamp)
    app.router.add_post("/v1/chat/completions", admitted(handler.chat_completions))
    app.router.add_get("/v1/models", models.list_models)
    app.router.add_get("/v1/models/{id:.+}", models.show_model)
    app.router.add_get("/healthz", health.healthz)
    app.router.add_get("/readyz", health.readyz)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/openapi.json", openapi.openapi)
    ui.add_to(app)


async def _cut(app: web.Application) -> None:
    app[SHUTDOWN].cut()
