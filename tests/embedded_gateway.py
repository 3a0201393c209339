"""A gateway with an embedded model, whose child runs on the stand-in for llama.cpp, beside hosted ones."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from config.settings import Model, Weights
from handlers.lifecycle.resources import RESOURCES
from tests.fakes import llama
from tests.running import CAPABILITIES, Gateway
from upstream.embedded import supervisor


def tiny(folder: Path, **fields: Any) -> Model:
    """Return an embedded model, `tiny`."""
    weights = Weights(path=llama.gguf(folder, "serve"))
    return Model("tiny", "", None, None, "serve", weights=weights, capabilities=CAPABILITIES, retries=0, **fields)


def on_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the embedded models of every gateway of this test on the stand-in."""
    monkeypatch.setattr(supervisor, "EmbeddedModels", partial(supervisor.EmbeddedModels, program=llama.PROGRAM))


async def pid_of(gateway: Gateway, model: Model) -> int:
    """Return the process id of a model's child, once it is ready."""
    assert gateway.app is not None
    children = gateway.app[RESOURCES]._embedded
    assert children is not None
    assert model.weights is not None
    endpoint = await children.endpoint(model.weights)
    async with ClientSession() as session, session.get(endpoint.base_url) as reply:
        return int(json.loads(await reply.read())["pid"])
