"""The endpoints of the Responses API that a gateway without storage refuses, with the remedy."""

import pytest

from tests.fakes import FakeUpstream
from tests.running import model, running, settings


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("path", ["/v1/responses/resp_1", "/v1/responses/resp_1/input_items"])
async def test_nothing_is_stored(upstream: FakeUpstream, method: str, path: str) -> None:
    """Retrieving and deleting a response are refused."""
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.request(method, path)
    assert (reply.status, reply.error["code"]) == (404, "not_found")
    assert reply.error["message"].startswith(f"{path}: the gateway stores no responses; send the whole conversation")


async def test_a_websocket_is_refused_at_once(upstream: FakeUpstream) -> None:
    """Codex tries one first, and falls back to POST after a 426."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.request("GET", "/v1/responses", headers=headers)
    assert (reply.status, reply.headers["allow"]) == (426, "POST")
    assert reply.error["code"] == "websocket_not_supported"
    assert upstream.requests == []
