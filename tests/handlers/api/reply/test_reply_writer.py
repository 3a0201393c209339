"""Getting a reply out, as the server's writer sees it."""

from unittest.mock import AsyncMock

import pytest
from aiohttp.abc import AbstractStreamWriter
from aiohttp.test_utils import make_mocked_request

from handlers.api.chat.replies import ChunkWriter
from handlers.api.client_api import Envelope
from handlers.api.reply.reply_writer import JsonReply, SseReply
from handlers.api.reply.shown_work import ShownWork
from synth.request import ChatRequest

CHUNKS = ChunkWriter(Envelope("chatcmpl-1", 0, "mom"), ChatRequest("mom", [], {}), ShownWork(None))


@pytest.mark.parametrize(
    "begin", [SseReply.send_heartbeat, JsonReply.send_heartbeat, lambda reply: reply.write(b"data: {}\n\n")]
)
async def test_no_headers_go_out_alone(begin: object) -> None:
    """They share a packet with the first bytes: the system takes longer over sending one than we over what is in it."""
    writer = AsyncMock(AbstractStreamWriter)
    request = make_mocked_request("POST", "/v1/chat/completions", writer=writer)
    reply = (
        JsonReply(request, lambda error: error.message.encode())
        if begin is JsonReply.send_heartbeat
        else SseReply(request, CHUNKS)
    )
    await begin(reply)  # type: ignore[operator]  # one of the three above
    writer.write_headers.assert_awaited_once()
    writer.send_headers.assert_not_called()
    writer.write.assert_awaited_once()
