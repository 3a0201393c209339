"""The fault matrix through Messages and Responses: each fault ends in the API's own form, and nothing is left."""

import json
from typing import Any

import pytest

from tests.fakes import FakeUpstream
from tests.faults import EVERYONE, FAULTS, PLACES, Fault, Place, expected
from tests.running import Reply, running
from tests.test_fault_matrix import _nothing_in_use, _settings, address, low_limits

__all__ = ["address", "low_limits"]  # fixtures

SOMEWHERE = [place for place in PLACES if str(place) in ("one proposer", "critic", "everyone")]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/messages": {"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 500},
    "/v1/responses": {"input": "Why?"},
}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("place", SOMEWHERE, ids=str)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_fault_in_a_place(
    fault: Fault, place: Place, path: str, address: str | None, upstream: FakeUpstream
) -> None:
    """The same outcome as in Chat Completions: the same text, or one failure that names each model's cause."""
    for stream in (False, True):
        wanted = expected(fault, place, stream=stream)
        config = _settings(fault, place, upstream, address)
        async with running(config) as gateway:
            data = json.dumps({**BODIES[path], "stream": stream}).encode()
            reply = await gateway.request("POST", path, headers={"Content-Type": "application/json"}, data=data)
            check = _check_message if path == "/v1/messages" else _check_response
            check(reply, wanted, stream=stream)
            await _nothing_in_use(gateway, config)
            await upstream.wait_idle()


def _events(reply: Reply) -> list[Any]:
    blocks = [block for block in reply.raw.decode().split("\n\n") if block.startswith("event: ")]
    return [json.loads(block.partition("\ndata: ")[2]) for block in blocks]


def _check_message(reply: Reply, wanted: Any, *, stream: bool) -> None:
    if wanted.status != 200:
        is_too_long = wanted.error == "context_length_exceeded"
        assert reply.status == (wanted.status if is_too_long or wanted.status != 400 else 502)
        assert reply.json["type"] == "error"
        assert reply.headers["x-should-retry"] == "false"
        assert all(f"{name}: " in reply.json["error"]["message"] for name in EVERYONE)
        assert is_too_long is reply.json["error"]["message"].startswith("prompt is too long")
    elif not stream:
        assert reply.json["content"] == [{"type": "text", "text": wanted.text}]
    elif wanted.error:
        assert _events(reply)[-1]["type"] == "error"
    else:
        events = _events(reply)
        text = "".join(each["delta"].get("text", "") for each in events if each["type"] == "content_block_delta")
        assert (text, events[-1]["type"]) == (wanted.text, "message_stop")


def _check_response(reply: Reply, wanted: Any, *, stream: bool) -> None:
    if not stream and wanted.status != 200:
        assert (reply.status, reply.error["code"]) == (wanted.status, wanted.error)
        assert {cause["model"] for cause in reply.error["causes"]} == set(EVERYONE)
        return
    assert reply.status == 200
    if not stream:
        (item,) = reply.json["output"]
        assert item["content"][0]["text"] == wanted.text
        return
    last = _events(reply)[-1]
    if wanted.error:
        assert last["type"] == "response.failed"
        assert last["response"]["error"]["code"] in ("invalid_prompt", "context_length_exceeded")
    else:
        assert last["type"] == "response.completed"
        assert last["response"]["output"][0]["content"][0]["text"] == wanted.text
