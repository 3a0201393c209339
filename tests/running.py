"""The real gateway on a real socket, and settings for it, as most tests use them."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession, web

from config.settings import Alias, Capability, Critic, Mixture, Model, Proposer, Secret, Server, Settings
from gateway import make_app
from handlers.lifecycle.connections import accept_clients
from handlers.lifecycle.snapshots import SNAPSHOTS
from tests.fakes import FakeUpstream

CAPABILITIES: frozenset[Capability] = frozenset({"vision", "tools", "json_object", "json_schema", "logprobs"})
KEY = "sk-canary-0123456789abcdef"


def model(name: str, upstream: FakeUpstream | str, **fields: Any) -> Model:
    """Return a model that the fake serves under its own name."""
    base_url = upstream if isinstance(upstream, str) else upstream.base_url
    defaults: dict[str, Any] = {
        "provider": None,
        "api_key": Secret(KEY, "FAKE_API_KEY"),
        "model": name,
        "capabilities": CAPABILITIES,
        "timeout_s": 30.0,
    }
    return Model(name=name, base_url=base_url, **{**defaults, **fields})


def panel_of(*members: str | Proposer) -> tuple[Proposer, ...]:
    """Return a panel of models, by name alone, and of proposers."""
    return tuple(Proposer(member) if isinstance(member, str) else member for member in members)


def settings(
    models: Sequence[Model], *, server: Server | None = None, aliases: tuple[Alias, ...] = (), **mixture: Any
) -> Settings:
    """Return settings with one mixture, `mom`, whose panel is all models and whose critic is the first.

    A panel may be given by its models' names.
    """
    names = tuple(model.name for model in models)
    defaults: dict[str, Any] = {"name": "mom", "panel": names, "critic": Critic(names[0]), "deadline_s": 60.0}
    given = {**defaults, **mixture}
    mixtures = (Mixture(**{**given, "panel": panel_of(*given["panel"])}),)
    return Settings(Path("config.yaml"), server or Server(port=0), tuple(models), mixtures, aliases)


def ask(text: str = "Why?", **fields: Any) -> dict[str, Any]:
    """Return a chat request's body."""
    return {"messages": [{"role": "user", "content": text}], **fields}


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, read to its end."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.raw)

    @property
    def error(self) -> Any:
        """The error object of the body."""
        return self.json["error"]

    @property
    def text(self) -> str:
        """The text of the first choice."""
        return str(self.json["choices"][0]["message"]["content"])

    @property
    def events(self) -> list[Any]:
        """The events of a stream, `[DONE]` as the string, comments left out."""
        data = [block for block in self.raw.decode().split("\n\n") if block and not block.startswith(":")]
        payloads = [block.removeprefix("data: ") for block in data]
        return [payload if payload == "[DONE]" else json.loads(payload) for payload in payloads]

    def streamed(self, key: str = "content", choice: int = 0) -> str:
        """Return the text of one choice of a stream."""
        return "".join(
            found["delta"].get(key) or ""
            for event in self.events
            if event != "[DONE]"
            for found in event.get("choices", ())
            if found["index"] == choice
        )


class Gateway:
    """A client of one running gateway; `app` is the gateway itself where it runs in this process."""

    def __init__(self, url: str, session: ClientSession, app: web.Application | None = None) -> None:
        self.url = url
        self.session = session
        self.app = app

    def open(self, body: Any, **options: Any) -> Any:
        """Return the context manager of a chat request whose reply the test reads itself."""
        return self.session.post(f"{self.url}/v1/chat/completions", json=body, **options)

    async def chat(self, body: Any = None, **options: Any) -> Reply:
        """Return the reply to a chat request."""
        content = {} if "data" in options else {"json": ask() if body is None else body}
        return await self.request("POST", "/v1/chat/completions", **content, **options)

    async def request(self, method: str, path: str, **options: Any) -> Reply:
        """Return the reply to any request."""
        async with self.session.request(method, f"{self.url}{path}", **options) as response:
            return await _read(response)


async def _read(response: ClientResponse) -> Reply:
    return Reply(
        response.status, {name.lower(): value for name, value in response.headers.items()}, await response.read()
    )


async def no_pause(_: float) -> None:
    """Let a retry go ahead at once."""
    await asyncio.sleep(0)


@asynccontextmanager
async def running(config: Settings, *, handler_cancellation: bool = True, **options: Any) -> AsyncGenerator[Gateway]:
    """Run the gateway as `serve` does, at a port of its own."""
    app = make_app(config, **{"models_dir": Path("unused"), "sleep": no_pause, **options})
    runner = web.AppRunner(app, access_log=None, handler_cancellation=handler_cancellation, shutdown_timeout=1)
    await runner.setup()
    try:
        async with (
            accept_clients(runner, "127.0.0.1", 0, lambda: app[SNAPSHOTS].current.settings.server) as port,
            ClientSession() as session,
        ):
            yield Gateway(f"http://127.0.0.1:{port}", session, app)
    finally:
        await runner.cleanup()
