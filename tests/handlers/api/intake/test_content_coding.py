"""Compressed request bodies: what is accepted, and that no bomb gets far."""

import asyncio
import gzip
import os
import tracemalloc
import zlib
from collections.abc import Callable, Iterable

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from handlers.api.intake import content_coding
from handlers.api.intake.content_coding import PIECE_BYTES, list_codings, undo_codings
from handlers.errors import ApiError

MB = 2**20
LIMIT = 2 * MB


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
    "gzip, deflate": lambda data: zlib.compress(gzip.compress(data)),
    "gzip,identity , gzip": lambda data: gzip.compress(gzip.compress(data)),
}


def decode(body: bytes, stated: str, limit: int = LIMIT, count: Callable[[int], None] = lambda _: None) -> bytes:
    return asyncio.run(undo_codings(body, stated, limit, count))


@pytest.mark.parametrize("stated", PACKERS)
@given(data=st.binary(max_size=300))
def test_every_supported_coding_is_undone(stated: str, data: bytes) -> None:
    """Also in upper case, in layers, and for an empty body."""
    assert decode(PACKERS[stated](data), stated) == data


def test_raw_deflate_is_understood() -> None:
    """Some clients send it under the name `deflate`."""
    assert decode(raw_deflate(b"hello" * 1000), "deflate") == b"hello" * 1000


def test_a_large_body_is_decoded_whole() -> None:
    """Just up to the limit, from random bytes and from zeros."""
    for data in (os.urandom(LIMIT), bytes(LIMIT)):
        assert decode(gzip.compress(data, 1), "gzip") == data
        assert decode(zlib.compress(data, 1), "deflate") == data


@pytest.mark.parametrize(
    "stated", ["br", "zstd", "compress", "gzip, br", "gzip, gzip, gzip", "\x00", "x" * 1000], ids=repr
)
def test_other_codings_are_refused_by_name(stated: str) -> None:
    """With 415 and the header that says which are accepted (RFC 9110, section 15.5.16)."""
    with pytest.raises(ApiError) as refused:
        list_codings(stated)
    assert (refused.value.status, refused.value.headers["Accept-Encoding"]) == (415, "gzip, deflate")


BROKEN = {
    "not gzip": (b"{}", "gzip"),
    "cut short": (gzip.compress(b"x" * 1000)[:-9], "gzip"),
    "cut in its header": (gzip.compress(b"x")[:5], "gzip"),
    "a wrong checksum": (gzip.compress(b"x" * 100)[:-8] + bytes(8), "gzip"),
    "garbage after it": (gzip.compress(b"x") + b"garbage", "gzip"),
    "a second zlib stream": (zlib.compress(b"x") * 2, "deflate"),
    "one layer too few": (gzip.compress(b"x"), "gzip, gzip"),
    "nothing": (b"", "gzip"),
}


@pytest.mark.parametrize(("body", "stated"), BROKEN.values(), ids=BROKEN)
def test_a_broken_body_is_a_400(body: bytes, stated: str) -> None:
    """The client is told which header does not fit."""
    with pytest.raises(ApiError) as refused:
        decode(body, stated)
    assert (refused.value.status, refused.value.code) == (400, "invalid_encoding")


def zeros(n_mb: int, bits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, bits)
    return b"".join(packer.compress(bytes(MB)) for _ in range(n_mb)) + packer.flush()


BOMBS: dict[str, tuple[bytes, str]] = {
    "gzip": (zeros(24, 31), "gzip"),
    "zlib": (zeros(24, 15), "deflate"),
    "raw deflate": (zeros(24, -15), "deflate"),
    "a bomb in a bomb": (gzip.compress(zeros(24, 31)), "gzip, gzip"),
    "a large middle layer": (gzip.compress(gzip.compress(b"{}") + bytes(8 * MB)), "gzip, gzip"),
    "a thousand members": (gzip.compress(b"") * 1000, "gzip"),
    "a thousand members below a layer": (zlib.compress(gzip.compress(b"") * 1000), "gzip, deflate"),
}


@pytest.mark.parametrize(("body", "stated"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_stops_at_the_limit(body: bytes, stated: str) -> None:
    """Refused before more than the limit was decoded; the memory that it takes is that and a few pieces."""
    counted: list[int] = []
    tracemalloc.start()
    try:
        with pytest.raises((web.HTTPRequestEntityTooLarge, ApiError)):
            decode(body, stated, count=counted.append)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(counted) <= LIMIT
    assert peak < LIMIT + 3 * MB


@pytest.mark.parametrize(("body", "stated"), BOMBS.values(), ids=BOMBS)
async def test_the_loop_gets_its_turns(body: bytes, stated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No turn of the loop decodes more than a megabyte in any layer."""
    worked, turns = [0], list[int]()

    def counting(pieces: Iterable[bytes], coding: str, limit: int) -> Iterable[bytes]:
        for piece in _inflate(pieces, coding, limit):
            worked[0] += 1
            yield piece

    async def take_turn(_: float) -> None:
        turns.append(worked[0])
        worked[0] = 0

    _inflate = content_coding._inflate
    monkeypatch.setattr(content_coding, "_inflate", counting)
    monkeypatch.setattr(asyncio, "sleep", take_turn)
    with pytest.raises((web.HTTPRequestEntityTooLarge, ApiError)):
        await undo_codings(body, stated, 8 * MB, lambda _: None)
    assert max([*turns, worked[0]]) * PIECE_BYTES <= 4 * MB


def test_the_count_may_refuse() -> None:
    """Decoded bytes belong to the byte budget like received ones."""

    def refuse(_: int) -> None:
        raise ApiError(503, "full")

    with pytest.raises(ApiError, match="full"):
        decode(gzip.compress(b"x"), "gzip", count=refuse)
