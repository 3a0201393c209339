"""Requests by an alias, over HTTP: answered by its target, under the name that the client used."""

import pytest

from config.settings import Alias, Server
from tests.fakes import FakeUpstream, answer
from tests.running import ask, model, running, settings

ALIASES = (Alias("gpt-4.1", "mom"), Alias("*-mini", "b"), Alias("gpt-*", "a"))


@pytest.mark.parametrize(
    ("name", "asked"),
    [("mom", "ab"), ("gpt-4.1", "ab"), ("gpt-4.1-mini", "b"), ("gpt-5", "a"), ("a", "a")],
)
async def test_an_alias_is_answered_by_its_target(upstream: FakeUpstream, name: str, asked: str) -> None:
    """A mixture's panel or a single model; the reply has the client's name for it."""
    upstream.default = answer("same")
    config = settings([model("a", upstream), model("b", upstream)], aliases=ALIASES)
    async with running(config) as gateway:
        reply = await gateway.chat(ask(model=name))
    assert (reply.status, reply.text, reply.json["model"]) == (200, "same", name)
    assert {request.model for request in upstream.requests} == set(asked)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_unknown_name_is_refused_or_answered_by_default(upstream: FakeUpstream, stream: bool) -> None:
    """404 with every known name, or with `unknown_model: default` the first mixture."""
    upstream.default = answer("same")
    models = [model("a", upstream)]
    async with running(settings(models, aliases=ALIASES[:1])) as gateway:
        refused = await gateway.chat(ask(model="llama", stream=stream))
    assert (refused.status, refused.error["code"]) == (404, "model_not_found")
    assert refused.error["message"] == "unknown model 'llama'; available: mom, a, gpt-4.1"
    async with running(settings(models, server=Server(port=0, unknown_model="default"))) as gateway:
        reply = await gateway.chat(ask(model="llama", stream=stream))
    assert (reply.status, "same" in reply.raw.decode()) == (200, True)
