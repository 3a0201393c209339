"""The application's routes."""

from tests.fakes import FakeUpstream
from tests.running import model, running, settings


async def test_every_reply_names_the_gateway(upstream: FakeUpstream) -> None:
    """`Server` and `x-request-id` are on every reply, also on errors; the version of aiohttp is on none."""
    async with running(settings([model("a", upstream)])) as gateway:
        replies = [
            await gateway.chat(),
            await gateway.chat(data=b"{"),
            *[await gateway.request("GET", path) for path in ("/healthz", "/readyz", "/v1/models", "/metrics", "/no")],
        ]
    assert {reply.headers["server"] for reply in replies} == {"mom-gateway"}
    assert all(reply.headers["x-request-id"] for reply in replies)
