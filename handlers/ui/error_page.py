"""Errors as pages, for people who open a page in a browser. Programs and scripts get JSON."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from importlib import import_module

from aiohttp import web

from handlers.context import CONTEXT
from handlers.errors import ApiError
from handlers.gate.access import is_page

_HEADINGS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "A key is needed",
    HTTPStatus.FORBIDDEN: "Access refused",
    HTTPStatus.NOT_FOUND: "Page not found",
}
_NO_PAGE = "There is no page at this address."
_LOG_IN = "Reload the page, and give one of the keys of server.api_keys as the password; the user name does not matter."


def wants_page(request: web.Request) -> bool:
    """Whether a browser opens one of the pages: an error is then shown as a page too."""
    return request.method == "GET" and is_page(request.path) and "text/html" in request.headers.get("Accept", "")


def pages_are_off() -> ApiError:
    """Return the error (404) of every page while the gateway keeps no traces."""
    message = "the trace pages are off: start the gateway with --debug-requests, or set server.ui"
    return ApiError(404, message, code="not_found")


async def respond_error(request: web.Request, error: ApiError) -> web.Response:
    """Return an error as a page: the cause, the remedy, and the id to search the log for."""
    context = request[CONTEXT]
    rendering = await asyncio.to_thread(import_module, "handlers.ui.rendering")
    view = {
        "heading": _HEADINGS.get(error.status, HTTPStatus(error.status).phrase),
        "message": _describe(request, error),
        "request_id": context.request_id,
        "has_pages": context.snapshot.traces is not None and error.status == HTTPStatus.NOT_FOUND,
    }
    response: web.Response = await rendering.respond(
        "error.html", lambda: view, status=error.status, headers=error.headers
    )
    return response


def _describe(request: web.Request, error: ApiError) -> str:
    """Return the message of an error as a sentence. The one for an unknown path names an API, so it is replaced."""
    if request.match_info.http_exception is not None and error.status == HTTPStatus.NOT_FOUND:
        return _NO_PAGE
    if error.status == HTTPStatus.UNAUTHORIZED:
        return _LOG_IN
    message = error.message
    return f"{message[:1].upper()}{message[1:]}{'' if message.endswith('.') else '.'}"
