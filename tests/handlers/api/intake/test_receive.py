"""Reading request bodies: deadlines on the loop's clock, and limits on size."""

import asyncio
from unittest.mock import Mock

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from config.settings import Server
from handlers.api.intake.receive import receive_body
from handlers.errors import ApiError
from handlers.gate.body_budget import BodyBudget
from tests.upstream.clocks import in_no_time

LIMITS = Server(body_timeout_s=120, min_body_kb_per_s=8)
KB = 1024


async def receive(*steps: tuple[float, int], ends: bool = False, limits: Server = LIMITS) -> bytes:
    """Read a body of which so many bytes come after each pause, in seconds."""
    content = StreamReader(Mock(BaseProtocol, _reading_paused=False), 2**16, loop=asyncio.get_running_loop())
    request = make_mocked_request("POST", "/", payload=content, client_max_size=8 << 20)

    async def send() -> None:
        for pause_s, n_bytes in steps:
            await asyncio.sleep(pause_s)
            content.feed_data(b"x" * n_bytes, n_bytes)
        if ends:
            content.feed_eof()

    sending = asyncio.create_task(send())
    try:
        with BodyBudget().reserve(limits) as reservation:
            return await receive_body(request, limits, reservation)
    finally:
        sending.cancel()


def test_a_body_that_stalls_is_a_408() -> None:
    """Ten seconds after the headers, if nothing or next to nothing has come."""
    for steps in ([], [(1.0, 1)], [(1.0, 1)] * 100, [(9.0, 100)]):
        with pytest.raises(ApiError) as refused:
            in_no_time(receive(*steps))
        assert (refused.value.status, refused.value.code) == (408, "request_timeout")


def test_a_body_may_be_slow_but_not_too_slow() -> None:
    """The average rate counts, and a body may pause for a few seconds."""
    assert len(in_no_time(receive(*[(1.0, 9 * KB)] * 60, ends=True))) == 540 * KB
    assert len(in_no_time(receive((0.0, 400 * KB), *[(9.0, KB)] * 4, ends=True))) == 404 * KB
    with pytest.raises(ApiError):
        in_no_time(receive(*[(1.0, 7 * KB)] * 100, ends=True))


def test_a_body_that_is_nearly_complete_does_not_wait_for_its_end() -> None:
    """Megabytes that came fast earn no minutes of silence: their bytes are part of everybody's budget."""
    with pytest.raises(ApiError) as refused:
        in_no_time(receive((0.0, 4000 * KB), (11.0, KB), ends=True))
    assert refused.value.status == 408


def test_a_body_has_a_total_time() -> None:
    """However steadily it comes."""
    with pytest.raises(ApiError) as refused:
        in_no_time(receive(*[(1.0, 20 * KB)] * 130, ends=True))
    assert refused.value.status == 408


def test_a_body_without_length_is_still_bounded() -> None:
    """Of a chunked body no header says the size; it is refused as soon as it exceeds the limit."""
    with pytest.raises(web.HTTPRequestEntityTooLarge):
        in_no_time(receive(*[(0.01, 64 * KB)] * 200, ends=True))


def test_a_full_budget_refuses_a_body_in_the_middle() -> None:
    """The bytes that it held are free again for others."""
    with pytest.raises(ApiError) as refused:
        in_no_time(receive(*[(0.01, 64 * KB)] * 40, limits=Server(max_body_buffer_mb=1)))
    assert refused.value.status == 503
