"""The replies of the probes of a running gateway."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from config.settings import ApiKey, Secret, Server, StoreSettings
from handlers.lifecycle import resources
from tests.fakes import FakeUpstream, status
from tests.running import KEY, ask, model, running, settings

CI = Secret("ci-key", "CI")


async def test_ready_tells_the_load(upstream: FakeUpstream) -> None:
    """How many requests run and wait, and no breaker where all is well."""
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.request("GET", "/readyz")
    assert reply.status == 200
    requests = {"receiving": 0, "waiting": 0, "running": 0}
    assert reply.json == {"status": "ready", "breakers": {}, "requests": requests, "store": {"state": "ok"}}


@pytest.mark.parametrize(
    ("on_failure", "rate", "status_of", "effect"),
    [
        ("allow", 5, 200, "budgets and rates count in this process alone"),
        ("refuse", None, 200, "budgets and rates are refused"),
        ("refuse", 5, 503, "budgets and rates are refused"),
    ],
)
async def test_a_store_that_fails(
    upstream: FakeUpstream,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    on_failure: Literal["allow", "refuse"],
    rate: int | None,
    status_of: int,
    effect: str,
) -> None:
    """It makes the gateway unready only if requests are refused without it."""
    monkeypatch.setattr(resources, "_BACKGROUND_TIMEOUT_S", 0.01)  # the store would be tried for longer at the end
    (tmp_path / "state.db").write_bytes(b"damaged" * 100)
    config = settings([model("a", upstream)], server=Server(port=0, api_keys=(ApiKey("ci", CI, rate),)))
    config = replace(config, store=StoreSettings(on_failure=on_failure))
    async with running(config, state_dir=tmp_path, sleep=asyncio.sleep) as gateway:
        reply = await gateway.request("GET", "/readyz")
        answer = await gateway.chat(headers={"Authorization": "Bearer ci-key"})
    assert reply.status == status_of
    assert reply.json["store"] == {"state": "failed", "reason": reply.json["store"]["reason"], "effect": effect}
    assert "state.db" in reply.json["store"]["reason"]
    assert answer.status == (503 if rate and on_failure == "refuse" else 200)


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
