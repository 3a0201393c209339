"""Every recorded request of a real agent gets the reply that it expects, and asks the panel only if it should."""

import json
from typing import Any

import pytest

from config.settings import Critic
from tests.fakes import FakeUpstream
from tests.recordings import FOLDER, Recording, load, obliging
from tests.running import Reply, model, running, settings

RECORDINGS = {path.stem: load(path) for path in sorted(FOLDER.joinpath("agents").glob("*.json"))}
POSTED = {name: recording for name, recording in RECORDINGS.items() if recording.method == "POST"}
PANEL = ("a", "b")
NEVER_SENT = ("billing-header", "safeguards", "client_metadata", "defer_loading", "namespace", "web_search", "user_id")

pytestmark = pytest.mark.skipif(not RECORDINGS, reason="there are no recordings beside the repository")


async def replay(recording: Recording, upstream: FakeUpstream) -> Reply:
    others = {str(recording.body.get("model") or "mom")} - {"mom"}
    names = (*PANEL, "critic", *others)
    for name in names:
        upstream.script(name, obliging(f"{name} says so."))
    config = settings([model(name, upstream) for name in names], panel=PANEL, critic=Critic("critic"))
    async with running(config) as gateway:
        return await gateway.request(
            recording.method, recording.url, headers=recording.headers, data=recording.content()
        )


def parse_events(reply: Reply) -> list[Any]:
    blocks = [block for block in reply.raw.decode().split("\n\n") if block]
    return [json.loads(block.partition("\ndata: ")[2]) for block in blocks]


def check_message_stream(events: list[Any]) -> None:
    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") > 0
    assert events[-2]["usage"]["output_tokens"] > 0
    assert events[-2]["delta"]["stop_reason"] == "end_turn"


def check_response_stream(events: list[Any]) -> None:
    kinds = [event["type"] for event in events]
    assert (kinds[:2], kinds[-1]) == (["response.created", "response.in_progress"], "response.completed")
    assert [event["sequence_number"] for event in events] == [*range(len(events))]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert events[-1]["response"]["output"] == done != []


@pytest.mark.parametrize("recording", POSTED.values(), ids=POSTED.keys())
async def test_a_request_is_answered_in_its_own_api(recording: Recording, upstream: FakeUpstream) -> None:
    """As a message, a response or a count, streamed if the agent asked for a stream."""
    reply = await replay(recording, upstream)
    assert reply.status == 200, reply.raw
    if recording.path.endswith("/count_tokens"):
        assert reply.json["input_tokens"] > 0
    elif recording.body.get("stream"):
        check = check_message_stream if recording.path == "/v1/messages" else check_response_stream
        check(parse_events(reply))
    else:
        kind = {"/v1/messages": "message", "/v1/responses": "response"}[recording.path]
        assert kind in (reply.json.get("type"), reply.json.get("object"))


@pytest.mark.parametrize("recording", POSTED.values(), ids=POSTED.keys())
async def test_the_panel_is_asked_for_new_questions_alone(recording: Recording, upstream: FakeUpstream) -> None:
    """A tool's result, a session's title and a compaction go to one model: one call, not three."""
    await replay(recording, upstream)
    if recording.path.endswith("/count_tokens"):
        assert upstream.requests == []
        return
    items = recording.body.get("input", recording.messages)
    last = items[-1] if isinstance(items, list) else {}
    is_tool_turn = "tool_result" in json.dumps(last) or last.get("type") == "function_call_output"
    is_side_call = "COMPACTION" in json.dumps(last) or "TEXT ONLY" in json.dumps(last)
    is_title = "title" in json.dumps(recording.body.get("output_config", {}))
    models = [request.model for request in upstream.requests]
    if is_tool_turn or is_side_call or is_title:
        assert len(models) == 1
    elif recording.body.get("model") == "mom":
        assert sorted(models)[:2] == [*PANEL]


@pytest.mark.parametrize("recording", POSTED.values(), ids=POSTED.keys())
async def test_fields_about_the_client_are_not_sent(recording: Recording, upstream: FakeUpstream) -> None:
    """No upstream sees the billing line, local paths in safeguards, ids of users, or tools that it cannot call."""
    await replay(recording, upstream)
    for request in upstream.requests:
        sent = json.dumps({name: value for name, value in request.body.items() if name != "messages"})
        assert not [word for word in NEVER_SENT if word in sent]
        assert "x-anthropic-billing-header" not in json.dumps(request.body)


async def test_a_greeting_and_a_websocket_are_answered_at_once(upstream: FakeUpstream) -> None:
    """Claude Code's HEAD succeeds; Codex's attempt at a WebSocket is refused in words."""
    async with running(settings([model("a", upstream)])) as gateway:
        hello = await gateway.request("HEAD", "/api/hello")
        refused = await gateway.request("GET", "/v1/responses")
        stored = await gateway.request("DELETE", "/v1/responses/resp_1")
    assert hello.status == 200
    assert (refused.status, refused.error["code"]) == (426, "websocket_not_supported")
    assert (stored.status, stored.error["message"].split(": ")[1][:27]) == (404, "the gateway stores no respo")
