"""OpenAI's Responses as a client API: its rhythm, its errors, its replies."""

import json

from config.settings import Server
from handlers.api.client_api import Envelope
from handlers.api.reply.shown_work import ShownWork
from handlers.api.responses.api import ResponsesApi
from handlers.errors import ApiError
from synth.events import Answered, DecidedBy, Finished
from synth.normalize import Completion
from tests.fakes import FakeUpstream, status
from tests.running import model, running, settings

ENVELOPE = Envelope("chatcmpl-0123", 1_700_000_000, "mom")


def test_events_come_whatever_the_operator_sets() -> None:
    """Codex counts events, and gives up after limits of its own."""
    server = Server(stream_heartbeat_s=0, messages_hold_s=0)
    assert ResponsesApi().pulse(server) == ResponsesApi().pulse(Server())
    assert 0 < ResponsesApi().pulse(server).first_s <= ResponsesApi().pulse(server).interval_s <= 10


def test_a_body_is_a_response() -> None:
    """With an id of its own, the creation time, and the text in one message."""
    parsed = ResponsesApi().parse({"input": "hi"})
    finished = Finished((Answered(Completion("Hi!"), DecidedBy.CRITIC, "a"),), 0.0)
    body = parsed.build_body(ENVELOPE, finished, {"prompt_tokens": 1, "completion_tokens": 2}, ShownWork(None))
    assert (body["object"], body["id"], body["model"]) == ("response", "resp_0123", "mom")
    assert (body["created_at"], body["status"]) == (1_700_000_000, "completed")
    (item,) = body["output"]
    assert [part["text"] for part in item["content"]] == ["Hi!"]
    assert (body["usage"]["input_tokens"], body["usage"]["output_tokens"]) == (1, 2)


def test_an_error_is_openais() -> None:
    """A request without a stream has an error status."""
    error = ApiError(404, "unknown model 'x'", param="model", code="model_not_found")
    reply = ResponsesApi().respond(error, "req-1")
    assert reply.status == 404
    assert reply.text is not None
    assert json.loads(reply.text) == error.body()


async def test_a_stream_fails_as_an_event(upstream: FakeUpstream) -> None:
    """Of a 200: Codex would repeat a request after an error status, but stops after `response.failed`."""
    upstream.default = status(500)
    async with running(settings([model("a", upstream, retries=0)])) as gateway:
        for name, said in (("mom", "no model could answer"), ("gpt-9", "unknown model")):
            body = {"input": "hi", "model": name, "stream": True}
            reply = await gateway.request("POST", "/v1/responses", json=body)
            last = json.loads(reply.raw.decode().strip().rpartition("data: ")[2])
            assert (reply.status, last["type"]) == (200, "response.failed")
            assert said in last["response"]["error"]["message"]
