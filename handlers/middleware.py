"""Middleware around every request: context, access checks, error boundary, log line, metrics, spans and trace."""

import asyncio
import random
import re
from functools import partial, wraps

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from handlers import errors
from handlers.api.apis import find_api
from handlers.api.intake.limits import check_values
from handlers.api.intake.receive import receive_body
from handlers.context import CONTEXT, RequestContext
from handlers.gate import access
from handlers.gate.admission import ADMISSION
from handlers.gate.body_budget import BODY_BUDGET, BodyReservation
from handlers.gate.rate_limit import RateLimits
from handlers.lifecycle.connections import connection_of
from handlers.lifecycle.shutdown import SHUTDOWN
from handlers.lifecycle.snapshots import SNAPSHOTS
from handlers.request_record import RequestRecord, rounded
from handlers.telemetry import logs
from handlers.telemetry.cache_watch import CACHE_WATCH
from handlers.telemetry.metrics import METRICS
from handlers.telemetry.spans import SPANS, TRACE_CONTEXT, FinishedRequest
from handlers.ui.error_page import respond_error, wants_page

_log = structlog.get_logger("request")

RATE_LIMITS = web.AppKey("rate_limits", RateLimits)

CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that left; appears in the log only
_WITHOUT_SPAN = access.PROBES | {"/metrics"}  # polled by machines
_RNG = random.Random()  # noqa: S311 -- ids must be unique, not secret
_PLAIN_SEGMENT = re.compile(r"[A-Za-z0-9._:-]{0,20}")
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Attach a RequestContext; after the request, however it ended, write its log line, metrics, spans and trace."""
    app = request.app
    with app[SNAPSHOTS].lease() as snapshot:
        stated = request.headers.get("x-request-id")
        request_id = stated if stated and _ACCEPTED_ID.fullmatch(stated) else f"req-{_RNG.getrandbits(64):016x}"
        record = RequestRecord(new_reply_id(snapshot.unix_time()), snapshot.pool.clock())
        context = request[CONTEXT] = RequestContext(snapshot, request_id, record)
        logs.REQUEST_ID.set(request_id)  # in the context of this request's own task
        connection = connection_of(request)
        if connection is not None:
            connection.begin_request()
        status = CLIENT_CLOSED_REQUEST
        try:
            response = await _handle_errors(request, handler, context)
            status = response.status
            body = response.body if isinstance(response, web.Response) else None
            if isinstance(body, bytes):  # other replies count their own bytes
                record.bytes_out = len(body)
        except asyncio.CancelledError:
            record.outcome = "cancelled"
            raise
        finally:
            if connection is not None:
                connection.end_request()
            # Deferred, so that the reply is sent first: no client waits for its log line.
            asyncio.get_running_loop().call_soon(_conclude, app, request, context, status, snapshot.pool.clock())
        return response


def _conclude(app: web.Application, request: web.Request, context: RequestContext, status: int, ended: float) -> None:
    """Report a finished request to the log, metrics, spans and traces. A failing one does not stop the others."""
    for report in (_write_line, _count_request, _export_spans, _store_trace):
        try:
            report(app, request, context, status, ended)
        except Exception:  # noqa: BLE001 -- a bug of our own; the other reports must still be made
            _log.exception("a finished request could not be reported", path=request.path)
    del request[CONTEXT]  # the server keeps the request object until the connection brings the next one


def _count_request(
    app: web.Application, _request: web.Request, context: RequestContext, _status: int, ended: float
) -> None:
    app[METRICS].count_request(context.record, ended - context.record.started)
    app[CACHE_WATCH].note(context.record.ledger.calls)


def _export_spans(
    app: web.Application, request: web.Request, context: RequestContext, status: int, ended: float
) -> None:
    spans = app[SPANS]
    if spans is not None and request.path not in _WITHOUT_SPAN:
        spans.add(_finished_request(request, context, status, ended))


def _store_trace(
    _app: web.Application, _request: web.Request, context: RequestContext, status: int, ended: float
) -> None:
    traces, trace = context.snapshot.traces, context.trace
    if traces is not None and trace is not None:
        traces.running.discard(trace)
        traces.add(context.record.reply_id, partial(trace.build, status, ended), trace.n_bytes)


async def _handle_errors(request: web.Request, handler: Handler, context: RequestContext) -> web.StreamResponse:
    """Run the handler and turn every exception into an error reply.

    The reply is made inside the `except` blocks: a variable would keep the exception, its traceback and with it this
    frame and the request's body alive until the garbage collector runs.
    """
    try:
        preflight = _check_access(request, context)
        return await handler(request) if preflight is None else preflight
    except errors.ApiError as error:
        return await _refuse(request, error, context)
    except web.HTTPException as error:
        return await _refuse(request, errors.from_http_exception(error, request), context)
    except Exception:  # noqa: BLE001 -- the boundary: the traceback goes to the log, none of it to the client
        _log.exception("unexpected error", path=request.path)
        return await _refuse(request, errors.unexpected(), context)


async def _refuse(request: web.Request, error: errors.ApiError, context: RequestContext) -> web.Response:
    context.record.fail(error)
    if wants_page(request):
        return await respond_error(request, error)
    return find_api(request.path).respond(error, context.request_id)


def _finished_request(request: web.Request, context: RequestContext, status: int, ended: float) -> FinishedRequest:
    resource = request.match_info.route.resource
    return FinishedRequest(
        context.record,
        context.request_id,
        request.method,
        request.path,
        resource.canonical if resource else None,
        {name: request.headers[name] for name in TRACE_CONTEXT if name in request.headers},
        status,
        ended,
        context.snapshot.unix_time() - context.snapshot.pool.clock(),
    )


def _check_access(request: web.Request, context: RequestContext) -> web.Response | None:
    """Return the CORS preflight response, or None if the request may proceed.

    Raises ApiError if the host name or the origin is not allowed, or if keys are configured and the key is missing or
    wrong.
    """
    server = context.snapshot.settings.server
    headers = request.headers
    access.check_host(headers, server)
    access.check_origin(headers, server, for_page=access.is_page(request.path))
    if access.is_preflight(request.method, headers):  # browsers send it without a key
        return web.Response(status=204, headers=access.preflight_headers(headers))
    if server.api_keys and request.path not in access.PROBES:
        context.key = access.authenticate(headers, server.api_keys, for_page=access.is_page(request.path))
        context.record.client = context.key.name
    return None


def admit(handler: Handler) -> Handler:
    """Decorate a handler to run only when the client's rate limit and the gateway's load permit it.

    The body is received before the request takes a place, so that slow clients hold none: `context.body` has it. If the
    queue is full already the body is not even read.
    """

    @wraps(handler)
    async def run_admitted(request: web.Request) -> web.StreamResponse:
        context, app = request[CONTEXT], request.app
        if context.key is not None:
            app[RATE_LIMITS].take(context.key)
        admission = app[ADMISSION]
        limits = context.snapshot.settings.server
        admission.check_room(limits)
        with app[BODY_BUDGET].reserve(limits) as reservation:
            await _receive(request, context, reservation)
            if not admission.try_enter(limits):
                clock = context.snapshot.pool.clock
                arrived = clock()
                await admission.enter(limits)
                context.record.queued_s = clock() - arrived
        try:
            return await handler(request)
        finally:
            admission.leave()

    return run_admitted


def receive(handler: Handler) -> Handler:
    """Decorate a handler that asks no model to run when its request's body is there: `context.body` has it."""

    @wraps(handler)
    async def run_with_body(request: web.Request) -> web.StreamResponse:
        context = request[CONTEXT]
        with request.app[BODY_BUDGET].reserve(context.snapshot.settings.server) as reservation:
            await _receive(request, context, reservation)
            return await handler(request)

    return run_with_body


async def _receive(request: web.Request, context: RequestContext, reservation: BodyReservation) -> None:
    length = request.content_length
    if length is not None and length > request.client_max_size:
        raise web.HTTPRequestEntityTooLarge(request.client_max_size, length)
    with request.app[SHUTDOWN].bounded():
        context.body = await receive_body(request, context.snapshot.settings.server, reservation)
    context.record.bytes_in = len(context.body)
    snapshot = context.snapshot
    await check_values(context.body, snapshot.settings.server, snapshot.pool.timers.now)


async def stamp(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that every reply carries, just before they are sent."""
    headers = response.headers
    headers["Server"] = "mom-gateway"
    context = request.get(CONTEXT)
    if context is not None:
        headers["x-request-id"] = context.request_id
        headers.update(access.cors_headers(request.headers, context.snapshot.settings.server))
        headers.update(context.record.headers())


def _shorten(path: str) -> str:
    """Return an unknown path for the log: a few plain segments, so that a key in the path is not logged."""
    segments = [segment if _PLAIN_SEGMENT.fullmatch(segment) else "…" for segment in path.split("/")[:8]]
    return "/".join(segments)


def new_reply_id(unix_time: float) -> str:
    """Return an id that sorts by time: milliseconds since the epoch, then random bits, both in hex."""
    return f"chatcmpl-{int(unix_time * 1000):012x}{_RNG.getrandbits(48):012x}"


def _write_line(
    _app: web.Application, request: web.Request, context: RequestContext, status: int, ended: float
) -> None:
    record, path = context.record, request.path
    is_known = request.match_info.route.resource is not None
    facts = {
        "request_id": context.request_id,
        "method": request.method if is_known else request.method[:8],
        "path": path if is_known else _shorten(path),
        "status": status,
        "seconds": rounded(ended - record.started, steps_per_second=10_000),
        **record.facts(),
    }
    is_view = access.is_page(path) and request.method == "GET" and status < 400  # noqa: PLR2004
    if path in access.PROBES or is_view:
        # A 503 of /readyz is an answer, not a fault; an open trace page polls every second.
        logs.log_fast("debug", "request", facts)
    else:
        logs.log_fast("error" if status >= 500 else "info", "request", facts)  # noqa: PLR2004
