"""The interface of a client API: the existing ones implement it, and a further one needs nothing else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest
from aiohttp import web

from config.settings import Server
from handlers.api.apis import APIS, PAGE_APIS
from handlers.api.client_api import CandidateReader, ClientApi, Envelope, Pulse
from handlers.api.reply.shown_work import ShownWork
from handlers.errors import ApiError
from synth.events import Answered, DecidedBy, Event, Finished, TextDelta
from synth.normalize import Completion
from synth.request import ChatRequest
from tests.fakes import FakeUpstream, answer, status
from tests.running import model, running, settings

ENVELOPE = Envelope("chatcmpl-1", 1_700_000_000, "mom")
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
MESSAGES = [{"role": "user", "content": "Why?"}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": MESSAGES},
    "/v1/messages": {"messages": MESSAGES, "max_tokens": 9},
    "/v1/responses": {"input": "Why?"},
    "/v1/ask": {"messages": MESSAGES},
    "/ui/ask": {"messages": MESSAGES},
}
WATCHED = ("/v1/ask", "/ui/ask")  # they always stream
each_api = pytest.mark.parametrize("path", [*APIS, *PAGE_APIS])


def _api(path: str) -> ClientApi:
    return {**APIS, **PAGE_APIS}[path]


def _body(path: str, **fields: Any) -> dict[str, Any]:
    return {**BODIES[path], **fields}


@each_api
def test_a_request_is_the_same_in_every_api(path: str) -> None:
    """The rest of the gateway sees one form of conversation, and whether a stream is wanted."""
    parsed = _api(path).parse(_body(path, stream=True, model="mom"))
    assert (parsed.chat.model, parsed.chat.stream) == ("mom", True)
    assert [dict(message) for message in parsed.chat.messages] == MESSAGES


@each_api
@pytest.mark.parametrize("body", [{}, {"messages": [], "input": []}, {"messages": 1, "input": 1}])
def test_an_invalid_request_is_an_error_of_the_client(path: str, body: dict[str, Any]) -> None:
    """Never of the gateway."""
    with pytest.raises(ApiError) as caught:
        _api(path).parse(body)
    assert caught.value.status == 400


@each_api
def test_a_pulse_has_no_negative_time(path: str) -> None:
    """0 turns it off; an API whose clients have limits of their own keeps them."""
    for server in (Server(), Server(stream_heartbeat_s=0, messages_hold_s=0)):
        pulse = _api(path).pulse(server)
        assert isinstance(pulse, Pulse)
        assert min(pulse.first_s, pulse.interval_s) >= 0


@each_api
def test_an_error_keeps_its_message(path: str) -> None:
    """In JSON, in the shape of the API, with a status that means the same."""
    reply = _api(path).respond(
        ApiError(503, "the queue is full", code="overloaded", headers={"Retry-After": "3"}), "id"
    )
    assert (reply.status, reply.content_type, reply.headers["Retry-After"]) == (503, "application/json", "3")
    assert reply.text is not None
    assert json.loads(reply.text)["error"]["message"] == "the queue is full"


@each_api
def test_a_stream_carries_the_text(path: str) -> None:
    """Every writer opens the stream once and ends it."""
    parsed = _api(path).parse(_body(path, stream=True))
    answered = Answered(Completion("Because."), DecidedBy.CRITIC, "a")
    writer = parsed.stream_writer(ENVELOPE, ShownWork(None))
    data = writer.opening() + writer.read(TextDelta("Because.")) + writer.read(answered)
    assert writer.opening() == b""
    assert b"Because." in data
    assert (data + writer.end(USAGE)).endswith(b"\n\n")


@pytest.mark.parametrize("path", [path for path in APIS if path not in WATCHED])
def test_a_body_carries_the_text(path: str) -> None:
    """As one JSON object."""
    parsed = _api(path).parse(_body(path))
    answered = Answered(Completion("Because."), DecidedBy.CRITIC, "a")
    body = parsed.build_body(ENVELOPE, Finished((answered,), 0.0), USAGE, ShownWork(None))
    assert "Because." in json.dumps(body)


@each_api
def test_a_stream_can_fail(path: str) -> None:
    """Before and after its first byte, with the message that a client shows."""
    parsed = _api(path).parse(_body(path, stream=True))
    for said in (b"", b"half"):
        writer = parsed.stream_writer(ENVELOPE, ShownWork(None))
        if said:
            assert writer.opening() + writer.read(TextDelta("half"))
        assert b"broken off" in writer.fail(ApiError(502, "broken off"))


def test_only_those_who_watch_read_candidates() -> None:
    """For other requests the proposers are not asked to stream."""
    readers = {
        path: isinstance(_api(path).parse(_body(path)).stream_writer(ENVELOPE, ShownWork(None)), CandidateReader)
        for path in (*APIS, *PAGE_APIS)
    }
    assert readers == dict.fromkeys(BODIES, False) | dict.fromkeys(WATCHED, True)


# A fifth API, as CONTRIBUTING.md has it: `{"ask": …}` gets `{"say": …}`, or lines of text as a stream.


class _LineWriter:
    def opening(self) -> bytes:
        return b""

    def read(self, event: Event) -> bytes:
        return event.text.encode() if isinstance(event, TextDelta) else b""

    def heartbeat(self) -> bytes:
        return b"\n"

    def end(self, usage: Mapping[str, Any]) -> bytes:
        return f"\n{usage['completion_tokens']} tokens\n".encode()

    def fail(self, error: ApiError) -> bytes:
        return f"\nfailed: {error.message}\n".encode()


@dataclass(frozen=True, slots=True)
class _Question:
    chat: ChatRequest

    def stream_writer(self, envelope: Envelope, work: ShownWork) -> _LineWriter:  # noqa: ARG002 -- the interface
        return _LineWriter()

    def build_body(
        self,
        envelope: Envelope,
        finished: Finished,
        usage: Mapping[str, Any],  # noqa: ARG002 -- the interface
        work: ShownWork,  # noqa: ARG002 -- the interface
    ) -> dict[str, Any]:
        return {"say": finished.answers[0].completion.text, "by": envelope.model}


class _LineApi:
    name = "lines"
    needs_media_type = False
    fails_in_stream = False

    def parse(self, fields: Mapping[str, Any]) -> _Question:
        messages = [{"role": "user", "content": str(fields.get("ask"))}]
        return _Question(ChatRequest(None, messages, {}, stream=bool(fields.get("stream"))))

    def pulse(self, server: Server) -> Pulse:  # noqa: ARG002 -- the interface
        return Pulse(0, 0)

    def respond(self, error: ApiError, request_id: str) -> web.Response:  # noqa: ARG002 -- the interface
        return web.json_response({"failed": error.message}, status=error.status)


async def test_a_further_api_needs_nothing_else(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registered beside the others it answers, streams, fails in its own shape, and is counted under its name."""
    monkeypatch.setitem(cast("dict[str, ClientApi]", APIS), "/lines", _LineApi())
    upstream.script("a", answer("Because."), answer("Because."), status(500))
    async with running(settings([model("a", upstream, retries=0)])) as gateway:
        whole = await gateway.request("POST", "/lines", json={"ask": "Why?"})
        streamed = await gateway.request("POST", "/lines", json={"ask": "Why?", "stream": True})
        failed = await gateway.request("POST", "/lines", json={"ask": "Why?"})
        invalid = await gateway.request("POST", "/lines", json="?")
        metrics = (await gateway.request("GET", "/metrics")).raw.decode()
    assert whole.json == {"say": "Because.", "by": "mom"}
    assert whole.headers["x-mom-author"] == "a"
    assert streamed.raw.startswith(b"Because.\n")
    assert streamed.raw.endswith(b" tokens\n")
    assert failed.status == 502
    assert "no model could answer" in failed.json["failed"]
    assert (invalid.status, list(invalid.json)) == (400, ["failed"])
    assert 'api="lines"' in metrics
    assert upstream.requests[0].body["messages"] == MESSAGES
