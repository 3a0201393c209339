"""Requests while the weights of an embedded model are fetched."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from config.settings import Model, Weights
from tests.fakes import llama
from tests.running import CAPABILITIES, ask, running, settings
from upstream.embedded import supervisor
from upstream.embedded.catalogue import HubSource, Weight


async def test_a_request_while_weights_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, with the progress in words, a Retry-After, and no word against trying again."""

    async def half(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"Content-Length": "4000000"})
        await reply.prepare(request)
        await reply.write(bytes(2_000_000))
        await asyncio.Event().wait()
        return reply

    app = web.Application()
    app.router.add_get("/tiny", half)
    async with TestServer(app, handler_cancellation=True) as server:
        weight = Weight("tiny", 4_000_000, "0" * 64, "MIT", (HubSource(str(server.make_url("/tiny"))),))
        embedded = partial(supervisor.EmbeddedModels, program=llama.PROGRAM, catalogue={"tiny": weight})
        monkeypatch.setattr(supervisor, "EmbeddedModels", embedded)
        tiny = Model("tiny", "", None, None, "tiny", weights=Weights(name="tiny"), capabilities=CAPABILITIES)
        async with running(settings([tiny]), models_dir=tmp_path) as gateway:
            async with asyncio.timeout(30):
                while "downloading" not in str((await gateway.request("GET", "/readyz")).json["reasons"]):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            replies = [await gateway.chat(ask(model=name)) for name in ("mom", "tiny")]
    for reply in replies:
        assert (reply.status, reply.error["code"]) == (503, "model_not_ready")
        assert "tiny: downloading, " in reply.error["message"]
        assert 1 <= int(reply.headers["retry-after"]) <= 60
        assert "x-should-retry" not in reply.headers
