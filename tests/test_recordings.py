"""Every recorded request of a real client is replayed, and gets the reply that its client expects."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from config.settings import Critic
from tests.fakes import FakeUpstream
from tests.recordings import CHAT, FOLDER, Recording, load, obliging
from tests.running import Gateway, Reply, model, running, settings

PANEL = ("a", "b")
RESPONSES = "/v1/responses"
RECORDINGS = {path.stem: load(path) for path in sorted(FOLDER.glob("*.json"))}
OF_THE_REPLY = {"model", "messages", "n", "stream", "stream_options", "mom"}
OF_TOOLS = {"tools", "tool_choice", "parallel_tool_calls"}
OF_LENGTH = {"max_tokens", "max_completion_tokens"}  # the smaller one goes out, by the name that the model takes

pytestmark = pytest.mark.skipif(not RECORDINGS, reason="there are no recordings beside the repository")


def refusal(recording: Recording) -> tuple[int, str] | None:
    """Return the status and words of the error that a request deserves, None where it deserves an answer."""
    if recording.path.startswith("/v1/models"):
        return None
    body = recording.body
    refusals = [
        (recording.path not in (CHAT, RESPONSES), 404, CHAT),
        (recording.method != "POST", 405, "accepts POST"),
        (recording.form is not None, 415, "application/json"),
        (isinstance(body.get("stream"), str), 400, "stream:="),
        (body.get("model") == "mom" and bool(body.get("logprobs")), 400, "a, b"),
    ]
    return next(((status, words) for applies, status, words in refusals if applies), None)


def each(condition: Callable[[Recording], bool]) -> pytest.MarkDecorator:
    """Run a test with every recording for which the condition holds."""
    chosen = {name: recording for name, recording in RECORDINGS.items() if condition(recording)}
    return pytest.mark.parametrize("recording", chosen.values(), ids=chosen.keys())


def asks_the_panel(recording: Recording) -> bool:
    return recording.path == CHAT and recording.body.get("model") == "mom" and refusal(recording) is None


def asks_for_logprobs(recording: Recording) -> bool:
    return bool(recording.body.get("logprobs"))


@asynccontextmanager
async def gateway_for(recording: Recording, upstream: FakeUpstream) -> AsyncGenerator[Gateway]:
    """Run a gateway with the mixture `mom`, and a model of the name that the recording asks for otherwise."""
    others = {str(recording.body.get("model") or "mom")} - {"mom"}
    for name in (*PANEL, "critic", *others):
        upstream.script(name, obliging(f"{name} says so."))
    models = [model(name, upstream) for name in (*PANEL, "critic", *others)]
    mixture = settings(models, panel=PANEL, critic=Critic("critic"), tools_advice="transcript")
    async with running(mixture) as gateway:
        yield gateway


async def replay(gateway: Gateway, recording: Recording, **changed: Any) -> Reply:
    content = recording.content(**changed)
    return await gateway.request(recording.method, recording.url, headers=recording.headers, data=content)


@each(lambda _: True)
async def test_the_reply_has_the_form_the_client_expects(recording: Recording, upstream: FakeUpstream) -> None:
    """An answer in the form asked for, or an error in OpenAI's shape that says what to do."""
    async with gateway_for(recording, upstream) as gateway:
        reply = await replay(gateway, recording)
    deserved = refusal(recording)
    if deserved is not None:
        status, words = deserved
        assert reply.status == status
        assert set(reply.error) >= {"message", "type", "param", "code"}
        assert words in reply.error["message"]
        assert upstream.requests == []
    else:
        assert reply.status == 200, reply.raw
        check_answer(recording, reply)


def check_answer(recording: Recording, reply: Reply) -> None:
    if recording.path != CHAT:
        assert reply.json["object"] in ("list", "model", "response")
    elif recording.body.get("stream"):
        check_stream(recording, reply)
    else:
        choices = reply.json["choices"]
        assert [choice["index"] for choice in choices] == [*range(recording.body.get("n") or 1)]
        assert all(choice["finish_reason"] for choice in choices)
        assert reply.json["model"] == recording.body["model"]
        assert reply.json["usage"]["total_tokens"] > 0


def check_stream(recording: Recording, reply: Reply) -> None:
    assert reply.headers["content-type"].startswith("text/event-stream")
    *chunks, done = reply.events
    assert done == "[DONE]"
    assert len({(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in chunks}) == 1
    wants_usage = bool((recording.body.get("stream_options") or {}).get("include_usage"))
    assert [chunk["choices"] for chunk in chunks].count([]) == wants_usage
    assert bool(chunks[-1].get("usage")) == wants_usage
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert [reason is not None for reason in reasons] == [False] * (len(reasons) - 1) + [True]


@each(asks_the_panel)
async def test_the_question_reaches_every_proposer(recording: Recording, upstream: FakeUpstream) -> None:
    """Messages and fields arrive as they were sent; words of ours about tools come after them, at the end.

    Turns that answer a tool, and commit messages, go to one model.
    """
    async with gateway_for(recording, upstream) as gateway:
        await replay(gateway, recording)
    needs_no_panel = "Git commit messages" in str(recording.messages[0]["content"])
    if needs_no_panel or recording.messages[-1]["role"] == "tool":
        assert {request.model for request in upstream.requests} == {"critic"}
        assert upstream.requests[0].body["messages"] == recording.messages
        return
    for name in PANEL:
        (request,) = upstream.requests_for(name)
        check_passed_on(recording, request.body)


def check_passed_on(recording: Recording, sent: dict[str, Any]) -> None:
    tools = OF_TOOLS if "tools" in recording.body else set()
    rest = recording.body.keys() - OF_THE_REPLY - OF_LENGTH - tools
    assert {name: sent.get(name) for name in rest} == {name: recording.body[name] for name in rest}
    assert not sent.keys() & tools
    last, original = sent["messages"][-1], recording.messages[-1]
    assert sent["messages"][:-1] == recording.messages[:-1]
    if tools:
        assert {**last, "content": None} == {**original, "content": None}
        assert last["content"].startswith(original["content"])
    else:
        assert last == original


@each(asks_for_logprobs)
async def test_log_probabilities_of_a_single_model_are_passed_on(recording: Recording, upstream: FakeUpstream) -> None:
    """What a mixture must refuse, its members give by their names."""
    async with gateway_for(recording, upstream) as gateway:
        reply = await replay(gateway, recording, model="a")
    assert reply.status == 200
    (request,) = upstream.requests
    assert request.body["logprobs"] is True
