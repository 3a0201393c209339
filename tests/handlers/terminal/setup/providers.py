"""A scripted provider: a list of models for the right key only, and a chat API that answers."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class ScriptedProvider:
    """`key` None: any key, or none, is right. `status` replaces the reply to a right key. `seen` are the keys sent."""

    ids: Sequence[str]
    key: str | None = None
    status: int = 200
    seen: list[str] = field(default_factory=list)
    url: str = ""

    async def list_models(self, request: web.Request) -> web.Response:
        sent = request.headers.get("x-api-key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.seen.append(sent)
        if self.key is not None and sent != self.key:
            return web.json_response({"error": {"message": f"Incorrect API key provided: {sent}"}}, status=401)
        return web.json_response({"object": "list", "data": [{"id": each} for each in self.ids]}, status=self.status)


@asynccontextmanager
async def serving(provider: ScriptedProvider) -> AsyncGenerator[ScriptedProvider]:
    """Serve a provider at a port of its own, and set its `url`."""
    app = web.Application()
    app.router.add_get("/v1/models", provider.list_models)
    async with TestServer(app, host="127.0.0.1") as server:
        provider.url = str(server.make_url("/v1"))
        yield provider
