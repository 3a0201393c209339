"""Receive a request's body, within the deadlines and the byte budget of clients."""

import asyncio
from collections.abc import Callable

from aiohttp import HttpVersion11, web

from config.settings import Server
from handlers.api.intake.content_coding import list_codings, undo_codings
from handlers.errors import ApiError
from handlers.gate.body_budget import BodyReservation
from handlers.lifecycle.connections import connection_of

START_S = 10.0  # the rate is not checked before
PAUSE_S = 10.0  # the longest pause within a body: one that is nearly complete must not hold its bytes for minutes
_KB = 1024


async def meet_expectation(request: web.Request) -> None:
    """Send 100 Continue to a client that waits for it before it sends the body. Ignores any other expectation.

    For routes in place of aiohttp's handler, whose 417 is plain text; RFC 9110, section 10.1.1, leaves that to servers.
    """
    expects = request.headers.get("Expect", "").lower()
    if expects == "100-continue" and request.version == HttpVersion11 and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def receive_body(request: web.Request, limits: Server, reservation: BodyReservation) -> bytes:
    """Return the decoded body of a request.

    Raises ApiError: 408 if it takes longer than `body_timeout_s` or arrives more slowly than `min_body_kb_per_s`, 503
    if the byte budget is used up, 400 or 415 if it cannot be decoded. Raises HTTPRequestEntityTooLarge beyond
    `max_body_mb`.
    """
    stated = request.headers.get("Content-Encoding", "") if connection_of(request) is not None else ""
    if stated:
        list_codings(stated)  # refuse an unknown one before its body is read
    try:
        body = await _receive(request, limits, reservation)
    except web.RequestPayloadError as error:
        request.content.feed_eof()  # otherwise the server reads on and logs the same error as its own
        message = "the body cannot be read: it does not match its Content-Encoding or Content-Length"
        raise ApiError(400, message, code="invalid_encoding", headers={"Connection": "close"}) from error
    return await undo_codings(body, stated, request.client_max_size, reservation.add) if stated else body


async def _receive(request: web.Request, limits: Server, reservation: BodyReservation) -> bytes:
    content = request.content
    if content.is_eof() and content.total_bytes <= request.client_max_size and content.exception() is None:
        reservation.add(content.total_bytes)
        return content.read_nowait()  # short bodies have usually arrived by now
    body = bytearray()  # grows in place; thousands of pieces would leave the heap in pieces, too
    clock = asyncio.get_running_loop().time
    deadline = _deadline(clock(), limits)
    try:
        async with asyncio.timeout_at(deadline(0)) as timeout:
            while piece := await content.readany():
                if len(body) + len(piece) > request.client_max_size:
                    raise web.HTTPRequestEntityTooLarge(request.client_max_size, len(body) + len(piece))
                reservation.add(len(piece))
                body += piece
                timeout.reschedule(min(deadline(len(body)), clock() + PAUSE_S))
    except TimeoutError:
        raise ApiError(
            408,
            "the body came too slowly; see server.body_timeout_s and server.min_body_kb_per_s",
            code="request_timeout",
            headers={"Connection": "close"},
        ) from None
    return bytes(body)


def _deadline(started: float, limits: Server) -> Callable[[int], float]:
    """Return the function from bytes received to the instant by which more must have arrived."""

    def deadline(n_bytes: int) -> float:
        by_rate = START_S + n_bytes / (limits.min_body_kb_per_s * _KB)
        return started + min(by_rate, limits.body_timeout_s)

    return deadline
