"""Decode `Content-Encoding` of request bodies, with limits on size, work and nesting.

A few kilobytes can unpack to gigabytes, and codings can be layered so that the large part is in the middle. So every
layer is decoded in pieces of at most PIECE_BYTES, stops as soon as its output exceeds the limit, and gives the event
loop a turn after each megabyte.
"""

import asyncio
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from aiohttp import web

from handlers.errors import ApiError

PIECE_BYTES = 65_536
PIECES_PER_TURN = 16
MAX_LAYERS = 2
MAX_MEMBERS = 16  # of a gzip body: real ones have one
SUPPORTED = "gzip, deflate"

_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_DEFLATE_METHOD = 8  # RFC 1950: the low four bits of a zlib header


def list_codings(stated: str) -> list[str]:
    """Return the codings of a `Content-Encoding` header, last applied first. Raises ApiError (415) for unknown ones."""
    codings = [
        coding for coding in (part.strip().lower() for part in stated.split(",")) if coding not in ("", "identity")
    ]
    unknown = next((coding for coding in codings if coding.removeprefix("x-") not in ("gzip", "deflate")), None)
    if unknown is None and len(codings) <= MAX_LAYERS:
        return codings[::-1]
    problem = f"at most {MAX_LAYERS} content codings are accepted" if unknown is None else "unknown content coding"
    raise ApiError(
        415,
        f"Content-Encoding: {problem}; send the body plain or with one of {SUPPORTED}",
        code="unsupported_content_encoding",
        headers={"Accept-Encoding": SUPPORTED},
    )


async def undo_codings(body: bytes, stated: str, limit: int, count: Callable[[int], None]) -> bytes:
    """Return a body without its content codings; it must not be larger than `limit` bytes.

    `count` gets the size of each decoded piece and may refuse it. Raises ApiError (400) for a body that is not in its
    coding, HTTPRequestEntityTooLarge as soon as a layer exceeds the limit.
    """
    pieces: Iterable[bytes] = (body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES))
    for coding in list_codings(stated):
        pieces = _inflate(pieces, coding, limit)
    decoded: list[bytes] = []
    try:
        for number, piece in enumerate(pieces, 1):
            if piece:
                count(len(piece))
                decoded.append(piece)
            if number % PIECES_PER_TURN == 0:
                await asyncio.sleep(0)
    except (zlib.error, EOFError) as error:
        message = "the body cannot be decoded: it does not match its Content-Encoding"
        raise ApiError(400, message, code="invalid_encoding") from error
    return b"".join(decoded)


def _inflate(pieces: Iterable[bytes], coding: str, limit: int) -> Iterator[bytes]:
    """Yield the decoded pieces of one layer, also empty ones, so that no step does more than a piece of work."""
    inflater: Any = None
    n_members = n_bytes = 0
    for piece in pieces:
        left = piece
        while left:
            if inflater is None or inflater.eof:
                n_members += 1
                if n_members > MAX_MEMBERS or (inflater is not None and coding == "deflate"):
                    raise zlib.error("too many members")
                inflater = zlib.decompressobj(_window_bits(coding, left[0]))
            decoded = inflater.decompress(left, PIECE_BYTES)
            n_bytes += len(decoded)
            if n_bytes > limit:
                raise web.HTTPRequestEntityTooLarge(limit, n_bytes)
            left = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            yield decoded
        yield b""
    if inflater is None or not inflater.eof:
        yield from _drain(inflater, limit - n_bytes)


def _drain(inflater: "Any", room: int) -> Iterator[bytes]:
    """Yield the remaining output. Raises EOFError if the layer is cut short."""
    while inflater is not None and not inflater.eof:
        decoded = inflater.decompress(b"", PIECE_BYTES)
        room -= len(decoded)
        if room < 0:
            raise web.HTTPRequestEntityTooLarge(room, room)
        if not decoded:
            break
        yield decoded
    if inflater is None or not inflater.eof:
        raise EOFError("the compressed body ends early")


def _window_bits(coding: str, first: int) -> int:
    """Return zlib's window bits. Some clients send raw deflate data (RFC 1951) instead of zlib's format."""
    if coding.endswith("gzip"):
        return _GZIP
    return _ZLIB if first & 0x0F == _DEFLATE_METHOD else _RAW
