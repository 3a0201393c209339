"""Refusals of the parts of the Responses API that need storage or WebSockets."""

from typing import NoReturn

from aiohttp import web

from handlers.errors import ApiError


async def refuse_stored(request: web.Request) -> NoReturn:
    """Refuse to show or delete a response (404)."""
    raise ApiError(
        404,
        f"{request.path}: the gateway stores no responses; send the whole conversation with each request",
        code="not_found",
    )


async def refuse_websocket(_: web.Request) -> NoReturn:
    """Refuse a WebSocket at once (426), so that the client falls back to POST."""
    message = "/v1/responses has no WebSocket; send POST /v1/responses"
    raise ApiError(426, message, code="websocket_not_supported", headers={"Allow": "POST"})
