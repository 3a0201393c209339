"""What the probes say of a gateway that runs."""

from tests.fakes import FakeUpstream, status
from tests.running import KEY, ask, model, running, settings


async def test_ready_tells_the_load(upstream: FakeUpstream) -> None:
    """How many requests run and wait, and no breaker where all is well."""
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.request("GET", "/readyz")
    assert reply.status == 200
    assert reply.json == {"status": "ready", "breakers": {}, "requests": {"receiving": 0, "waiting": 0, "running": 0}}


async def test_an_open_breaker_is_listed(upstream: FakeUpstream) -> None:
    """With its reason, which names the key's variable and not the key; the others make the gateway ready."""
    upstream.script("a", status(401))
    async with running(settings([model("a", upstream), model("b", upstream)])) as gateway:
        await gateway.chat(ask(model="a"))
        reply = await gateway.request("GET", "/readyz")
    assert reply.status == 200
    assert list(reply.json["breakers"]) == ["a"]
    assert reply.json["breakers"]["a"]["state"] == "open"
    assert "FAKE_API_KEY" in reply.json["breakers"]["a"]["reason"]
    assert KEY not in reply.raw.decode()
