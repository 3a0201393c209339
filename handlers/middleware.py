"""Around every request: its state and id, its log line and trace, the error boundary, and whether it may come in."""

import asyncio
import random
import re
from functools import partial, wraps
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from config.settings import ApiKey
from handlers import access, errors, logs
from handlers.admission import ADMISSION
from handlers.generations import GENERATIONS
from handlers.metrics import METRICS
from handlers.rate import RateLimits
from handlers.record import RequestRecord, rounded
from handlers.spans import SPANS, TRACE_CONTEXT, Ended
from handlers.state import STATE, State
from handlers.trace import Trace

_log = structlog.get_logger("request")

RECORD = web.RequestKey("record", RequestRecord)
TRACE = web.RequestKey("trace", Trace)
REQUEST_ID = web.RequestKey("request_id", str)
API_KEY = web.RequestKey("api_key", ApiKey)

RATE_LIMITS = web.AppKey("rate_limits", RateLimits)

CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that left; it goes to the log alone
_WITHOUT_SPAN = access.PROBES | {"/metrics"}  # asked for by machines, and often
_RNG = random.Random()  # noqa: S311 -- ids need to be unlike each other, not secret
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its state, id and record; afterwards write its log line and trace, whichever way it ended."""
    with request.app[GENERATIONS].lease() as state:
        stated = request.headers.get("x-request-id", "")
        request_id = stated if _SANE_ID.fullmatch(stated) else f"req-{_RNG.getrandbits(64):016x}"
        record = RequestRecord(new_reply_id(state.unix_time()), state.pool.clock())
        request[STATE], request[REQUEST_ID], request[RECORD] = state, request_id, record
        logs.REQUEST_ID.set(request_id)  # in the context of this request's own task
        status = CLIENT_CLOSED_REQUEST
        try:
            response = await _bounded(request, handler, record)
            status = response.status
            body = response.body if isinstance(response, web.Response) else None
            if isinstance(body, bytes):  # what else there is was counted
                record.bytes_out = len(body)
        except asyncio.CancelledError:
            record.outcome = "cancelled"
            raise
        finally:
            # The reply goes out first: nobody waits for what is written about it.
            asyncio.get_running_loop().call_soon(_conclude, request, state, status, state.pool.clock())
        return response


def _conclude(request: web.Request, state: State, status: int, ended: float) -> None:
    """Write down how a request went, for all who want to know; what one of them can't, the others still do."""
    for tell in (_write_line, _count, _export, _keep):
        try:
            tell(request, state, status, ended)
        except Exception:  # noqa: BLE001 -- our own fault, and logged; nobody else is to miss what they came for
            _log.exception("a request could not be written down", path=request.path)


def _count(request: web.Request, _state: State, _status: int, ended: float) -> None:
    record = request[RECORD]
    request.app[METRICS].note(record, ended - record.started)


def _export(request: web.Request, state: State, status: int, ended: float) -> None:
    if SPANS in request.app and request.path not in _WITHOUT_SPAN:
        request.app[SPANS].add(_ended(request, request[RECORD], status, ended, state))


def _keep(request: web.Request, state: State, status: int, ended: float) -> None:
    if state.traces is not None and TRACE in request:
        trace = request[TRACE]
        state.traces.add(request[RECORD].reply_id, partial(trace.document, status, ended), trace.n_bytes)


async def _bounded(request: web.Request, handler: Handler, record: RequestRecord) -> web.StreamResponse:
    """Turn every exception into an error reply."""
    try:
        preflight = _check_entry(request)
        return await handler(request) if preflight is None else preflight
    except errors.ApiError as error:
        api_error = error
    except web.HTTPException as error:
        api_error = errors.from_http_exception(error, request)
    except Exception:  # noqa: BLE001 -- the boundary: logged with its traceback, and nothing of it is echoed
        _log.exception("unexpected error", path=request.path)
        api_error = errors.unexpected()
    record.outcome, record.error = "failed", api_error.body()["error"]
    return api_error.response()


def _ended(request: web.Request, record: RequestRecord, status: int, ended: float, state: State) -> Ended:
    resource = request.match_info.route.resource
    return Ended(
        record,
        request[REQUEST_ID],
        request.method,
        request.path,
        resource.canonical if resource else None,
        {name: request.headers[name] for name in TRACE_CONTEXT if name in request.headers},
        status,
        ended,
        state.unix_time() - state.pool.clock(),
    )


def _check_entry(request: web.Request) -> web.Response | None:
    """Return None for who may come in, and for a browser that asks what it may send, the reply to that.

    ApiError for web pages that are not allowed, strange host names, and whoever shows no key where one is asked for.
    """
    server = request[STATE].settings.server
    headers = request.headers
    access.check_host(headers, server)
    access.check_origin(headers, server)
    if access.is_preflight(request.method, headers):  # has no key: browsers send it before they send any
        return web.Response(status=204, headers=access.preflight(headers))
    if server.api_keys and request.path not in access.PROBES:
        key = access.key_of(headers, server.api_keys, for_page=access.is_page(request.path))
        request[API_KEY], request[RECORD].client = key, key.name
    return None


def admitted(handler: Handler) -> Handler:
    """Let the handler run when the client's rate and the gateway's load allow it; its body is not read before."""

    @wraps(handler)
    async def waiting(request: web.Request) -> web.StreamResponse:
        length = request.content_length
        if length is not None and length > request.client_max_size:
            raise web.HTTPRequestEntityTooLarge(request.client_max_size, length)
        state = request[STATE]
        if state.settings.server.api_keys:
            await request.app[RATE_LIMITS].take(request[API_KEY])
        clock = state.pool.clock
        arrived = clock()
        admission = request.app[ADMISSION]
        waited = await admission.enter()
        try:
            request[RECORD].queued_s = clock() - arrived if waited else None
            return await handler(request)
        finally:
            admission.leave()

    return waiting


async def stamp(request: web.Request, response: web.StreamResponse) -> None:
    """Put what every reply carries into its headers, just before they go out."""
    headers = response.headers
    headers["Server"] = "mom-gateway"
    state = request.get(STATE)
    if state is not None:
        headers.update(access.shared(request.headers, state.settings.server))
        headers["x-request-id"] = request[REQUEST_ID]
        headers.update(request[RECORD].headers())


def new_reply_id(unix_time: float) -> str:
    """Return an id that sorts by time: milliseconds, then randomness, both in hex."""
    return f"chatcmpl-{int(unix_time * 1000):012x}{_RNG.getrandbits(48):012x}"


def _write_line(request: web.Request, _state: State, status: int, ended: float) -> None:
    record = request[RECORD]
    facts: dict[str, Any] = {
        "request_id": request[REQUEST_ID],
        "method": request.method,
        "path": request.path,
        "status": status,
        "seconds": rounded(ended - record.started, per_second=10_000),
    }
    facts |= record.facts()
    if request.path in access.PROBES or (access.is_page(request.path) and status < 400):  # noqa: PLR2004
        # A 503 of /readyz is its answer, not a fault; a page that is open asks every two seconds.
        logs.tell("debug", "request", facts)
    else:
        logs.tell("error" if status >= 500 else "info", "request", facts)  # noqa: PLR2004
