"""OpenAI's Chat Completions as a client API."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from config.settings import Server
from handlers.api.chat.parse import parse
from handlers.api.chat.replies import ChunkWriter, build_completion
from handlers.api.client_api import Envelope, Pulse
from handlers.api.reply.shown_work import ShownWork
from handlers.errors import ApiError
from runtime.frozen import frozen
from synth.events import Finished
from synth.request import ChatRequest


@frozen
class _ChatRequest:
    chat: ChatRequest

    def stream_writer(self, envelope: Envelope, work: ShownWork) -> ChunkWriter:
        return ChunkWriter(envelope, self.chat, work)

    def build_body(
        self, envelope: Envelope, finished: Finished, usage: Mapping[str, Any], work: ShownWork
    ) -> dict[str, Any]:
        return build_completion(envelope, finished, usage, work)


class ChatApi:
    """`POST /v1/chat/completions`."""

    name = "chat"
    needs_media_type = False
    fails_in_stream = False

    def parse(self, fields: Mapping[str, Any]) -> _ChatRequest:
        """Return the request. Raises ApiError (400) if it is invalid."""
        return _ChatRequest(parse(fields))

    def pulse(self, server: Server) -> Pulse:
        """Return `server.stream_heartbeat_s`, before the first byte as well."""
        return Pulse(server.stream_heartbeat_s, server.stream_heartbeat_s)

    def respond(self, error: ApiError, request_id: str) -> web.Response:  # noqa: ARG002 -- the id is in a header
        """Return OpenAI's error object."""
        return error.response()
