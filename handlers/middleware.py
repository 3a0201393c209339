"""Around every request: its id, its one log line, the error boundary, its trace."""

import asyncio
import re
import secrets
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from handlers import errors
from handlers.record import RequestRecord
from handlers.state import STATE
from handlers.trace import Trace

_log = structlog.get_logger("request")

RECORD = web.RequestKey("record", RequestRecord)
TRACE = web.RequestKey("trace", Trace)
REQUEST_ID = web.RequestKey("request_id", str)

CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that left; it goes to the log alone
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_PROBES = frozenset({"/healthz", "/readyz"})


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id and record; afterwards write its log line and its trace, whichever way it ended."""
    state = request.app[STATE]
    stated = request.headers.get("x-request-id", "")
    request[REQUEST_ID] = stated if _SANE_ID.fullmatch(stated) else f"req-{secrets.token_hex(8)}"
    record = request[RECORD] = RequestRecord(reply_id=new_reply_id(state.unix_time()))
    started = state.pool.clock()
    status = CLIENT_CLOSED_REQUEST
    try:
        with structlog.contextvars.bound_contextvars(request_id=request[REQUEST_ID]):
            response = await _bounded(request, handler, record)
        status = response.status
    except asyncio.CancelledError:
        record.outcome = "cancelled"
        raise
    finally:
        ended = state.pool.clock()
        _write_line(request, record, status, ended - started)
        if state.traces is not None and TRACE in request:
            state.traces.add(request[TRACE].document(status, ended))
    return response


async def _bounded(request: web.Request, handler: Handler, record: RequestRecord) -> web.StreamResponse:
    """Turn every exception into an error reply."""
    try:
        return await handler(request)
    except errors.ApiError as error:
        api_error = error
    except web.HTTPException as error:
        api_error = errors.from_http_exception(error, request)
    except Exception:  # noqa: BLE001 -- the boundary: logged with its traceback, and nothing of it is echoed
        _log.exception("unexpected error", path=request.path)
        api_error = errors.unexpected()
    record.outcome, record.error = "failed", api_error.body()["error"]
    return api_error.response()


async def stamp(request: web.Request, response: web.StreamResponse) -> None:
    """Put what every reply carries into its headers, just before they go out."""
    response.headers["Server"] = "mom-gateway"
    if REQUEST_ID in request:
        response.headers["x-request-id"] = request[REQUEST_ID]
        response.headers.update(request[RECORD].headers())


def new_reply_id(unix_time: float) -> str:
    """Return an id that sorts by time: milliseconds, then randomness, both in hex."""
    return f"chatcmpl-{int(unix_time * 1000):012x}{secrets.token_hex(6)}"


def _write_line(request: web.Request, record: RequestRecord, status: int, seconds: float) -> None:
    facts: dict[str, Any] = {
        "request_id": request[REQUEST_ID],
        "method": request.method,
        "path": request.path,
        "status": status,
        "seconds": round(seconds, 4),
        **record.facts(),
    }
    if status >= 500:  # noqa: PLR2004
        _log.error("request", **facts)
    elif request.path in _PROBES:
        _log.debug("request", **facts)
    else:
        _log.info("request", **facts)
