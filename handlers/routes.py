"""Routes, middleware and the shared objects of the application."""

import time

from aiohttp import web

from handlers.api.about import health, models, openapi
from handlers.api.apis import APIS
from handlers.api.exchange import answering
from handlers.api.intake.receive import meet_expectation
from handlers.api.messages import endpoints as messages
from handlers.api.responses import endpoints as responses
from handlers.gate.admission import ADMISSION, Admission
from handlers.gate.body_budget import BODY_BUDGET, BodyBudget
from handlers.gate.rate_limit import RateLimits
from handlers.lifecycle.shutdown import SHUTDOWN, Shutdown
from handlers.middleware import RATE_LIMITS, admit, observe, receive, stamp
from handlers.telemetry.cache_watch import CACHE_WATCH, CacheWatch
from handlers.telemetry.metrics import METRICS, Metrics, show_metrics
from handlers.telemetry.spans import SPANS
from handlers.ui import routes as ui


def add_to(app: web.Application) -> None:
    """Add routes, middleware and shared objects to an application; it must have SNAPSHOTS and SPENDING once it runs."""
    app[ADMISSION] = Admission()
    app[BODY_BUDGET] = BodyBudget()
    app[RATE_LIMITS] = RateLimits(time.monotonic)
    app[SHUTDOWN] = Shutdown(app[ADMISSION])
    app[METRICS] = Metrics()
    app[CACHE_WATCH] = CacheWatch()
    app[SPANS] = None
    app.on_shutdown.append(_end_running_requests)
    app.middlewares.append(observe)
    app.on_response_prepare.append(stamp)
    for path, api in APIS.items():
        app.router.add_post(path, admit(answering(api)), expect_handler=meet_expectation)
    app.router.add_post("/v1/messages/count_tokens", receive(messages.count_tokens), expect_handler=meet_expectation)
    app.router.add_head("/api/hello", messages.hello)
    app.router.add_get("/v1/responses", responses.refuse_websocket, allow_head=False)
    app.router.add_get("/v1/responses/{id:.+}", responses.refuse_stored, allow_head=False)
    app.router.add_delete("/v1/responses/{id:.+}", responses.refuse_stored)
    app.router.add_get("/v1/models", models.list_models)
    app.router.add_get("/v1/models/{id:.+}", models.show_model)
    app.router.add_get("/healthz", health.healthz)
    app.router.add_get("/readyz", health.readyz)
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/openapi.json", openapi.openapi)
    ui.add_to(app)


async def _end_running_requests(app: web.Application) -> None:
    app[SHUTDOWN].cancel_running()
