"""OpenAI's Responses as a client API."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from config.settings import Server
from handlers.api.client_api import Envelope, Pulse
from handlers.api.reply.shown_work import ShownWork
from handlers.api.responses.parse import ResponsesRequest, parse_responses
from handlers.api.responses.replies import Identity, ResponseWriter, build_response
from handlers.errors import ApiError
from runtime.frozen import frozen
from synth.events import Finished
from synth.request import ChatRequest

FIRST_EVENT_S, EVENT_S = 5.0, 10.0  # Codex counts events, not comments


@frozen
class _ParsedRequest:
    request: ResponsesRequest

    @property
    def chat(self) -> ChatRequest:
        return self.request.chat

    def stream_writer(self, envelope: Envelope, work: ShownWork) -> ResponseWriter:
        return ResponseWriter(Identity(envelope), self.request, work)

    def build_body(
        self, envelope: Envelope, finished: Finished, usage: Mapping[str, Any], work: ShownWork
    ) -> dict[str, Any]:
        return build_response(Identity(envelope), self.request, finished.answers[0], usage, work)


class ResponsesApi:
    """`POST /v1/responses`.

    A stream that cannot be completed is a 200 with `response.failed`: Codex shows that message and stops, but repeats a
    request up to thirty times after an error status.
    """

    name = "responses"
    needs_media_type = False
    fails_in_stream = True

    def parse(self, fields: Mapping[str, Any]) -> _ParsedRequest:
        """Return the request. Raises ApiError (400) if it is invalid."""
        return _ParsedRequest(parse_responses(fields))

    def pulse(self, server: Server) -> Pulse:  # noqa: ARG002 -- the clients' limits are fixed
        """Return an event within 5 s, then one every 10 s."""
        return Pulse(FIRST_EVENT_S, EVENT_S)

    def respond(self, error: ApiError, request_id: str) -> web.Response:  # noqa: ARG002 -- the id is in a header
        """Return OpenAI's error object."""
        return error.response()
