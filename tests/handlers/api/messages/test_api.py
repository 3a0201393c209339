"""Anthropic's Messages as a client API: its rhythm, its ids, and errors by which its clients act."""

import json
from typing import Any

import pytest
from aiohttp import web

from config.settings import Server
from handlers.api.client_api import Envelope, Pulse
from handlers.api.messages.api import PING_S, MessagesApi, message_id
from handlers.api.reply.shown_work import ShownWork
from handlers.errors import ApiError
from synth.events import Answered, Cause, DecidedBy, Finished
from synth.normalize import Completion
from upstream.errors import CallError, Kind

CAUSE = Cause("a", CallError(Kind.REJECTED, "top_k is not supported", status=400))
ENVELOPE = Envelope("chatcmpl-0123", 1_700_000_000, "mom")


def _json(reply: web.Response) -> Any:
    assert reply.text is not None
    return json.loads(reply.text)


def test_headers_may_wait_and_pings_may_not() -> None:
    """Claude Code waits for headers for minutes, and for an event for about twenty seconds."""
    pulse = MessagesApi().pulse(Server(messages_hold_s=100, stream_heartbeat_s=60))
    assert pulse == Pulse(100, PING_S)
    assert PING_S < 20


def test_an_id_is_anthropics() -> None:
    """It shares its end with the id in traces and logs."""
    assert message_id(ENVELOPE) == "msg_0123"


def test_an_error_names_the_request() -> None:
    """In the body, where Anthropic's SDKs look for it."""
    reply = MessagesApi().respond(ApiError(404, "unknown model 'x'"), "req-1")
    assert reply.status == 404
    assert _json(reply) == {
        "type": "error",
        "error": {"type": "not_found_error", "message": "unknown model 'x'"},
        "request_id": "req-1",
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ApiError(400, "messages: must not be empty"), 400),
        (ApiError(400, "no model could answer", causes=[CAUSE]), 502),
        (ApiError(400, "too long", code="context_length_exceeded", causes=[CAUSE]), 400),
        (ApiError(429, "rate limited", causes=[CAUSE]), 429),
        (ApiError(504, "timed out", causes=[CAUSE]), 504),
    ],
)
def test_an_upstreams_refusal_is_not_the_clients_fault(error: ApiError, status: int) -> None:
    """Claude Code answers a 400 with further requests; only a conversation that is too long must stay one."""
    assert MessagesApi().respond(error, "").status == status


def test_headers_are_kept() -> None:
    """Clients obey Retry-After and x-should-retry."""
    reply = MessagesApi().respond(ApiError(503, "full", headers={"Retry-After": "3"}), "req-1")
    assert reply.headers["Retry-After"] == "3"


def test_a_body_is_a_message() -> None:
    """With the model as the client named it, and the text in one block."""
    parsed = MessagesApi().parse({"messages": [{"role": "user", "content": "hi"}]})
    finished = Finished((Answered(Completion("Hi!"), DecidedBy.CRITIC, "a"),), 0.0)
    body = parsed.build_body(ENVELOPE, finished, {"prompt_tokens": 1, "completion_tokens": 2}, ShownWork(None))
    assert (body["type"], body["id"], body["model"], body["stop_reason"]) == ("message", "msg_0123", "mom", "end_turn")
    assert body["content"] == [{"type": "text", "text": "Hi!"}]
    assert (body["usage"]["input_tokens"], body["usage"]["output_tokens"]) == (1, 2)
