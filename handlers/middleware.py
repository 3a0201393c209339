"""Around every request: its context, its log line and trace, the error boundary, and whether it may come in."""

import asyncio
import random
import re
from functools import partial, wraps

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from handlers import errors
from handlers.context import CONTEXT, RequestContext
from handlers.gate import access
from handlers.gate.admission import ADMISSION
from handlers.gate.rate_limit import RateLimits
from handlers.lifecycle.snapshots import SNAPSHOTS
from handlers.request_record import RequestRecord, rounded
from handlers.telemetry import logs
from handlers.telemetry.metrics import METRICS
from handlers.telemetry.spans import SPANS, TRACE_CONTEXT, Ended

_log = structlog.get_logger("request")

RATE_LIMITS = web.AppKey("rate_limits", RateLimits)

CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that left; it goes to the log alone
_WITHOUT_SPAN = access.PROBES | {"/metrics"}  # asked for by machines, and often
_RNG = random.Random()  # noqa: S311 -- ids need to be unlike each other, not secret
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its context; afterwards write its log line and trace, whichever way it ended."""
    app = request.app
    with app[SNAPSHOTS].lease() as snapshot:
        stated = request.headers.get("x-request-id")
        request_id = stated if stated and _SANE_ID.fullmatch(stated) else f"req-{_RNG.getrandbits(64):016x}"
        record = RequestRecord(new_reply_id(snapshot.unix_time()), snapshot.pool.clock())
        context = request[CONTEXT] = RequestContext(snapshot, request_id, record)
        logs.REQUEST_ID.set(request_id)  # in the context of this request's own task
        status = CLIENT_CLOSED_REQUEST
        try:
            response = await _bounded(request, handler, context)
            status = response.status
            body = response.body if isinstance(response, web.Response) else None
            if isinstance(body, bytes):  # what else there is was counted
                record.bytes_out = len(body)
        except asyncio.CancelledError:
            record.outcome = "cancelled"
            raise
        finally:
            # The reply goes out first: nobody waits for what is written about it.
            asyncio.get_running_loop().call_soon(_conclude, app, request, context, status, snapshot.pool.clock())
        return response


def _conclude(app: web.Application, request: web.Request, context: RequestContext, status: int, ended: float) -> None:
    """Write down how a request went, for all who want to know; what one of them can't, the others still do."""
    for tell in (_write_line, _count, _export, _keep):
        try:
            tell(app, request, context, status, ended)
        except Exception:  # noqa: BLE001 -- our own fault, and logged; nobody else is to miss what they came for
            _log.exception("a request could not be written down", path=request.path)
    del request[CONTEXT]  # the server keeps a request until the connection brings the next


def _count(app: web.Application, _request: web.Request, context: RequestContext, _status: int, ended: float) -> None:
    app[METRICS].note(context.record, ended - context.record.started)


def _export(app: web.Application, request: web.Request, context: RequestContext, status: int, ended: float) -> None:
    spans = app[SPANS]
    if spans is not None and request.path not in _WITHOUT_SPAN:
        spans.add(_ended(request, context, status, ended))


def _keep(_app: web.Application, _request: web.Request, context: RequestContext, status: int, ended: float) -> None:
    traces, trace = context.snapshot.traces, context.trace
    if traces is not None and trace is not None:
        traces.add(context.record.reply_id, partial(trace.document, status, ended), trace.n_bytes)


async def _bounded(request: web.Request, handler: Handler, context: RequestContext) -> web.StreamResponse:
    """Turn every exception into an error reply."""
    try:
        preflight = _check_entry(request, context)
        return await handler(request) if preflight is None else preflight
    except errors.ApiError as error:
        api_error = error
    except web.HTTPException as error:
        api_error = errors.from_http_exception(error, request)
    except Exception:  # noqa: BLE001 -- the boundary: logged with its traceback, and nothing of it is echoed
        _log.exception("unexpected error", path=request.path)
        api_error = errors.unexpected()
    context.record.outcome, context.record.error = "failed", api_error.body()["error"]
    return api_error.response()


def _ended(request: web.Request, context: RequestContext, status: int, ended: float) -> Ended:
    resource = request.match_info.route.resource
    return Ended(
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


def _check_entry(request: web.Request, context: RequestContext) -> web.Response | None:
    """Return None for who may come in, and for a browser that asks what it may send, the reply to that.

    ApiError for web pages that are not allowed, strange host names, and whoever shows no key where one is asked for.
    """
    server = context.snapshot.settings.server
    headers = request.headers
    access.check_host(headers, server)
    access.check_origin(headers, server)
    if access.is_preflight(request.method, headers):  # has no key: browsers send it before they send any
        return web.Response(status=204, headers=access.preflight(headers))
    if server.api_keys and request.path not in access.PROBES:
        context.key = access.key_of(headers, server.api_keys, for_page=access.is_page(request.path))
        context.record.client = context.key.name
    return None


def admitted(handler: Handler) -> Handler:
    """Let the handler run when the client's rate and the gateway's load allow it; its body is not read before."""

    @wraps(handler)
    async def waiting(request: web.Request) -> web.StreamResponse:
        length = request.content_length
        if length is not None and length > request.client_max_size:
            raise web.HTTPRequestEntityTooLarge(request.client_max_size, length)
        context, app = request[CONTEXT], request.app
        if context.key is not None:
            await app[RATE_LIMITS].take(context.key)
        admission = app[ADMISSION]
        limits = context.snapshot.settings.server
        if not admission.take(limits):
            clock = context.snapshot.pool.clock
            arrived = clock()
            await admission.wait(limits)
            context.record.queued_s = clock() - arrived
        try:
            return await handler(request)
        finally:
            admission.leave()

    return waiting


async def stamp(request: web.Request, response: web.StreamResponse) -> None:
    """Put what every reply carries into its headers, just before they go out."""
    headers = response.headers
    headers["Server"] = "mom-gateway"
    context = request.get(CONTEXT)
    if context is not None:
        headers["x-request-id"] = context.request_id
        headers.update(access.shared(request.headers, context.snapshot.settings.server))
        headers.update(context.record.headers())


def new_reply_id(unix_time: float) -> str:
    """Return an id that sorts by time: milliseconds, then randomness, both in hex."""
    return f"chatcmpl-{int(unix_time * 1000):012x}{_RNG.getrandbits(48):012x}"


def _write_line(
    _app: web.Application, request: web.Request, context: RequestContext, status: int, ended: float
) -> None:
    record, path = context.record, request.path
    facts = {
        "request_id": context.request_id,
        "method": request.method,
        "path": path,
        "status": status,
        "seconds": rounded(ended - record.started, per_second=10_000),
        **record.facts(),
    }
    if path in access.PROBES or (access.is_page(path) and status < 400):  # noqa: PLR2004
        # A 503 of /readyz is its answer, not a fault; a page that is open asks every two seconds.
        logs.tell("debug", "request", facts)
    else:
        logs.tell("error" if status >= 500 else "info", "request", facts)  # noqa: PLR2004
