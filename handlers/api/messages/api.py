"""Anthropic's Messages as a client API."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from config.settings import Server
from handlers.api.client_api import Envelope, Pulse
from handlers.api.messages.errors import error_body
from handlers.api.messages.parse import parse_messages
from handlers.api.messages.replies import MessageWriter, build_message
from handlers.api.reply.shown_work import ShownWork
from handlers.errors import ApiError
from handlers.json_reply import respond_json
from runtime.frozen import frozen
from synth.events import Finished
from synth.request import ChatRequest

PING_S = 10.0  # Claude Code gives up after about 20 s without an event


@frozen
class _MessagesRequest:
    chat: ChatRequest

    def stream_writer(self, envelope: Envelope, work: ShownWork) -> MessageWriter:
        return MessageWriter(message_id(envelope), envelope.model, work)

    def build_body(
        self, envelope: Envelope, finished: Finished, usage: Mapping[str, Any], work: ShownWork
    ) -> dict[str, Any]:
        return build_message(message_id(envelope), envelope.model, finished.answers[0], usage, work)


def message_id(envelope: Envelope) -> str:
    """Return a reply's id as Anthropic writes ids."""
    return f"msg_{envelope.reply_id.partition('-')[2]}"


class MessagesApi:
    """`POST /v1/messages`.

    A stream's headers are withheld until its first content, for `server.messages_hold_s` at most: Claude Code waits for
    headers for minutes, but asks again, unstreamed, if an error follows the first event.
    """

    name = "messages"
    needs_media_type = False
    fails_in_stream = False

    def parse(self, fields: Mapping[str, Any]) -> _MessagesRequest:
        """Return the request. Raises ApiError (400) if it is invalid."""
        return _MessagesRequest(parse_messages(fields))

    def pulse(self, server: Server) -> Pulse:
        """Return a long wait for the first byte, then a ping every 10 s."""
        return Pulse(server.messages_hold_s, PING_S)

    def respond(self, error: ApiError, request_id: str) -> web.Response:
        """Return Anthropic's error object.

        An upstream's refusal is a 502 here, because Claude Code answers a 400 with up to five more requests, each with
        less in it. Only a conversation that is too long stays a 400: its wording makes clients shorten it.
        """
        status = error.status
        if error.causes and status == HTTPStatus.BAD_REQUEST and error.code != "context_length_exceeded":
            status = HTTPStatus.BAD_GATEWAY
        return respond_json(error_body(error, request_id), status=status, headers=error.headers)
