"""Chat Completions as a client API: its rhythm, its errors, its replies."""

import json

import pytest

from config.settings import Server
from handlers.api.chat.api import ChatApi
from handlers.api.client_api import Envelope, Pulse
from handlers.api.reply.shown_work import ShownWork
from handlers.errors import ApiError
from synth.events import Answered, DecidedBy, Finished
from synth.normalize import Completion

ENVELOPE = Envelope("chatcmpl-1", 1_700_000_000, "mom")


@pytest.mark.parametrize("seconds", [0.0, 7.5])
def test_the_rhythm_is_the_operators(seconds: float) -> None:
    """The same before and after the first byte: clients count any byte."""
    assert ChatApi().pulse(Server(stream_heartbeat_s=seconds)) == Pulse(seconds, seconds)


def test_an_error_is_openais() -> None:
    """Status and headers are those of the error; a stream that fails before its first byte has them as well."""
    error = ApiError(
        404, "unknown model 'x'", param="model", code="model_not_found", headers={"x-should-retry": "false"}
    )
    reply = ChatApi().respond(error, "req-1")
    assert (reply.status, reply.headers["x-should-retry"]) == (404, "false")
    assert reply.text is not None
    assert json.loads(reply.text) == error.body()
    assert not ChatApi().fails_in_stream


def test_choices_are_those_of_the_request() -> None:
    """With `n` a body has as many choices, and a stream opens as many."""
    body = {"messages": [{"role": "user", "content": "hi"}], "n": 2, "stream": True}
    parsed = ChatApi().parse(body)
    answers = tuple(Answered(Completion(text), DecidedBy.CRITIC, "a", n) for n, text in enumerate(("one", "two")))
    built = parsed.build_body(ENVELOPE, Finished(answers, 0.0), {}, ShownWork(None))
    assert [choice["message"]["content"] for choice in built["choices"]] == ["one", "two"]
    assert parsed.stream_writer(ENVELOPE, ShownWork(None)).opening().count(b'"role":') == 2
