"""The client API for watching a run: a Chat Completions request in, a stream of the whole run out.

`POST /v1/ask` serves programs (`mom-gateway ask`, `mom-gateway mcp`), `POST /ui/ask` the gateway's own page. It is an
API like the others, so a question passes the same access rules, limits, budgets and traces. Only the reply differs: it
shows each candidate while it is written, next to the answer.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from config.settings import Server
from handlers.api.ask.stream import AskStream
from handlers.api.chat.parse import parse
from handlers.api.client_api import Envelope, Pulse
from handlers.api.reply.shown_work import ShownWork
from handlers.errors import ApiError
from runtime.frozen import frozen
from synth.events import Finished
from synth.request import ChatRequest

_PULSE_S = 0.25  # how often the client sees what the members have written


@frozen
class _Question:
    chat: ChatRequest

    def stream_writer(self, envelope: Envelope, work: ShownWork) -> AskStream:  # noqa: ARG002 -- it shows all work
        return AskStream(envelope)

    def build_body(
        self, envelope: Envelope, finished: Finished, usage: Mapping[str, Any], work: ShownWork
    ) -> dict[str, Any]:
        raise NotImplementedError("the reply is always a stream")


class AskApi:
    """`POST /v1/ask` and `POST /ui/ask`."""

    name = "ask"
    needs_media_type = True  # a form of another site cannot send it, nor an origin of ours: handlers/gate/access.py
    fails_in_stream = False

    def parse(self, fields: Mapping[str, Any]) -> _Question:
        """Return the request, always as one that streams. Raises ApiError (400) if it is invalid."""
        return _Question(replace(parse(fields), stream=True, n=1))

    def pulse(self, server: Server) -> Pulse:  # noqa: ARG002 -- a person who watches needs no configuration
        """Return the rhythm in which the members' texts are sent."""
        return Pulse(_PULSE_S, _PULSE_S)

    def respond(self, error: ApiError, request_id: str) -> web.Response:  # noqa: ARG002 -- the id is in a header
        """Return OpenAI's error object."""
        return error.response()
