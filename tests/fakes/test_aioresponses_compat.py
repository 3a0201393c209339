"""aioresponses works again on the installed aiohttp, and leaks nothing."""

import gc
from typing import Any

import aiohttp
import pytest
from aioresponses import CallbackResult, aioresponses

from tests.fakes.aioresponses_compat import MendedResponses

URL = "http://upstream.test/v1/chat/completions"


async def test_the_original_is_still_broken() -> None:
    """The day this fails, aioresponses_compat.py can go."""
    with aioresponses() as mocked:
        mocked.post(URL, payload={})
        async with aiohttp.ClientSession() as session:
            with pytest.raises(TypeError, match="stream_writer"):
                await session.post(URL, json={})


async def test_a_patched_response_reads_like_a_real_one() -> None:
    """Status, headers, JSON and raw bytes arrive, and the request is recorded."""
    with MendedResponses() as mocked:
        mocked.post(URL, payload={"ok": True}, status=201, headers={"x-a": "1"})
        mocked.post(URL, body=b"raw", content_type="text/plain")
        async with aiohttp.ClientSession() as session:
            async with session.post(URL, json={"model": "m"}) as response:
                assert (response.status, response.headers["x-a"]) == (201, "1")
                assert await response.json() == {"ok": True}
            async with session.post(URL, json={}) as response:
                assert [data async for data in response.content.iter_any()] == [b"raw"]
        mocked.assert_any_call(URL, method="POST", json={"model": "m"})
    gc.collect()


async def test_callbacks_and_exceptions() -> None:
    """A response that a callback made is mended as well; exceptions and unmatched URLs raise as before."""

    def respond(_url: Any, **kwargs: Any) -> CallbackResult:
        return CallbackResult(payload={"echo": kwargs["json"]})

    with MendedResponses() as mocked:
        mocked.post(URL, callback=respond)
        mocked.post(URL, exception=aiohttp.ServerDisconnectedError())
        async with aiohttp.ClientSession() as session:
            async with session.post(URL, json=[1]) as response:
                assert await response.json() == {"echo": [1]}
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await session.post(URL)
            with pytest.raises(aiohttp.ClientConnectionError, match="refused"):
                await session.post(URL)


async def test_a_response_left_unread_leaks_no_warning() -> None:
    """The collector finds nothing to complain of, though the response was neither read nor closed."""
    with MendedResponses() as mocked:
        mocked.post(URL, payload={})
        async with aiohttp.ClientSession() as session:
            response = await session.post(URL)
            assert response.status == 200
            del response
    gc.collect()


async def test_the_patch_ends_with_its_block() -> None:
    """Outside the block aioresponses is what it was."""
    with MendedResponses():
        pass
    with aioresponses() as mocked:
        mocked.get(URL)
        async with aiohttp.ClientSession() as session:
            with pytest.raises(TypeError, match="stream_writer"):
                await session.get(URL)
