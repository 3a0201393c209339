"""The weights and secrets that a configuration needs, and how long they are kept."""

import asyncio
import gc
import time
import warnings
from pathlib import Path

import pytest
from aiohttp import web

from config.settings import ApiKey, Critic, Model, Secret, Server, Settings, Weights
from handlers.context import Snapshot
from handlers.gate.admission import ADMISSION, Admission
from handlers.lifecycle.resources import (
    RESOURCES,
    Resources,
    apply_settings,
    configured_weights,
    run_with_snapshots,
    secrets_of,
    used_weights,
)
from handlers.lifecycle.sandboxes import Sandboxes
from handlers.lifecycle.snapshots import SNAPSHOTS
from tests.running import model, settings


class SlowResources(Resources):
    """Records the kept models in place of running them, and builds no snapshot before `may_go_on` is set."""

    def __init__(self) -> None:
        super().__init__(Path(), sleep=asyncio.sleep, unix_time=time.time, environ={})
        self.kept: list[set[str]] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def keep_embedded(self, *in_use: Settings) -> None:
        self.kept.append({each.models[0].name for each in in_use})

    async def build_snapshot(self, settings: Settings, *others: Snapshot) -> Snapshot:
        built = await super().build_snapshot(settings, *others)
        await self.may_go_on.wait()
        return built


async def test_a_request_that_ends_during_a_reload_ends_no_model_of_the_new_configuration() -> None:
    """The models of a configuration that is being built are kept, as are those of the others still in use."""
    app = web.Application()
    app[RESOURCES] = resources = SlowResources()
    app[ADMISSION] = Admission()
    old, running, new = (settings([model(name, "http://h/v1")]) for name in ("old", "running", "new"))
    context = run_with_snapshots(old, None)(app)
    await anext(context)
    with app[SNAPSHOTS].lease():
        await apply_settings(app, running)
        lease = app[SNAPSHOTS].lease()
        lease.__enter__()
        resources.may_go_on.clear()
        reload = asyncio.create_task(apply_settings(app, new))
        await asyncio.sleep(0.01)
        assert resources.kept[-1] == {"old", "running", "new"}
    await asyncio.sleep(0.01)  # the last request of `old` has ended
    resources.may_go_on.set()
    await reload
    await asyncio.sleep(0.01)
    assert resources.kept[-1] == {"running", "new"}
    assert all("new" in kept for kept in resources.kept[3:])
    lease.__exit__(None, None, None)
    assert await anext(context, "over") == "over"


async def test_a_snapshot_whose_building_is_cancelled_leaves_no_connections_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A gateway may be ended in the midst of a reload."""
    begun = asyncio.Event()

    async def build_finder(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Sandboxes, "build_finder", build_finder)
    resources = Resources(Path(), sleep=asyncio.sleep, unix_time=time.time, environ={})
    building = asyncio.create_task(resources.build_snapshot(settings([model("a", "http://h/v1")])))
    await begun.wait()
    building.cancel()
    await asyncio.wait([building])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del building
        gc.collect()
    assert [each.message for each in caught if "Unclosed" in str(each.message)] == []
    await resources.close()


def embedded(name: str) -> Model:
    return Model(name, "", "embedded", None, name, weights=Weights(name=name))


def test_weights_are_used_if_a_mixture_may_call_the_model() -> None:
    """As a member of a panel or as its critic, also as a fallback."""
    models = [embedded(name) for name in ("member", "critic", "fallback", "idle")]
    config = settings(models, panel=("member",), critic=Critic("critic", fallbacks=("fallback",)))
    assert [each.name for each in configured_weights(config)] == ["member", "critic", "fallback", "idle"]
    assert [each.name for each in used_weights(config)] == ["member", "critic", "fallback"]


def test_every_key_is_a_secret() -> None:
    """Of models, in their headers, and of clients."""
    headers = {"X-Key": Secret("of a header", "X")}
    config = settings(
        [model("a", "http://h/v1", api_key=Secret("of a model", "A"), headers=headers)],
        server=Server(api_keys=(ApiKey("client", Secret("of a client", "C")),)),
    )
    assert set(secrets_of(config)) == {"of a header", "of a model", "of a client"}
