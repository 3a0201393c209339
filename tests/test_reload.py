"""Reloading config.yaml while the gateway runs."""

import asyncio
import signal
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from config.settings import Model, Weights
from gateway import make_app
from handlers.lifecycle.resources import apply_settings
from handlers.lifecycle.snapshots import SNAPSHOTS
from tests.fakes import FakeUpstream, after, answer, from_request, llama
from tests.processes import loaded, logged, served
from tests.running import Gateway, ask, model, settings
from upstream.embedded import supervisor
from upstream.embedded.supervisor import EmbeddedModels


def written(path: Path, upstream: FakeUpstream, *names: str, server: str = "") -> None:
    """Write a configuration with these models, all at once, as editors do."""
    models = ", ".join(f'{{name: {name}, base_url: "{upstream.base_url}", api_key: "${{KEY}}"}}' for name in names)
    unfinished = path.with_suffix(".new")
    unfinished.write_text(f"server: {{{server}}}\nmodels: [{models}]\n")
    unfinished.replace(path)


async def reloaded(child: Process) -> None:
    child.send_signal(signal.SIGHUP)
    await logged(child, "configuration reloaded")


async def names(gateway: Gateway) -> list[str]:
    return [each["id"] for each in (await gateway.request("GET", "/v1/models")).json["data"]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / ".env").write_text("KEY=sk-first-0123456789\n")
    return tmp_path / "config.yaml"


async def test_new_requests_use_the_new_settings_and_running_ones_the_old(upstream: FakeUpstream, path: Path) -> None:
    """Also the keys of .env; old connections close after their last request."""
    gate = asyncio.Event()
    upstream.script("a", after(gate, answer("from the old")))
    upstream.script("b", answer("from the new"))
    written(path, upstream, "a")
    async with served(path) as (child, gateway):
        old = asyncio.create_task(gateway.chat())
        await upstream.wait_for(1)
        path.with_name(".env").write_text("KEY=sk-second-0123456789\n")
        written(path, upstream, "b")
        await reloaded(child)
        assert await names(gateway) == ["mom", "b"]
        assert (await gateway.chat()).text == "from the new"
        assert (await gateway.chat(ask(model="a"))).status == 404
        assert upstream.open_connections == 2
        gate.set()
        assert (await old).text == "from the old"
        await upstream.wait_connections(1)
    keys = {request.model: request.headers["Authorization"] for request in upstream.requests}
    assert keys == {"a": "Bearer sk-first-0123456789", "b": "Bearer sk-second-0123456789"}


async def test_a_metric_shows_that_the_file_is_not_in_force(upstream: FakeUpstream, path: Path) -> None:
    """Until a valid file is loaded."""
    written(path, upstream, "a")
    async with served(path) as (child, gateway):
        assert await in_force(gateway) == 1
        written(path, upstream)
        child.send_signal(signal.SIGHUP)
        await logged(child, "stays in force")
        assert await in_force(gateway) == 0
        written(path, upstream, "a")
        await reloaded(child)
        assert await in_force(gateway) == 1


async def in_force(gateway: Gateway) -> float:
    """Return what a scrape says."""
    scraped = (await gateway.request("GET", "/metrics")).raw.decode()
    families = {family.name: family for family in text_string_to_metric_families(scraped)}
    return families["mom_config_last_reload_successful"].samples[0].value


async def test_an_invalid_file_changes_nothing(upstream: FakeUpstream, path: Path) -> None:
    """The log has each problem; the next valid file is applied."""
    written(path, upstream, "a")
    async with served(path) as (child, gateway):
        await asyncio.to_thread(
            path.write_text, "server: {prot: 1}\nmodels:\n  - {name: a}\n  - {name: b, base_url: ftp://x}\n"
        )
        child.send_signal(signal.SIGHUP)
        problems = [await logged(child, "configuration problem") for _ in range(3)]
        await logged(child, "the previous one stays in force")
        for line, problem in enumerate(problems, 1):
            assert f"config.yaml:{line + (line > 1)}: " in problem
        assert await names(gateway) == ["mom", "a"]
        assert (await gateway.chat()).status == 200
        await asyncio.to_thread(path.unlink)
        child.send_signal(signal.SIGHUP)
        assert "file not found" in await logged(child, "configuration problem")
        written(path, upstream, "b")
        await reloaded(child)
        assert await names(gateway) == ["mom", "b"]


async def test_an_unusable_env_changes_nothing(upstream: FakeUpstream, path: Path) -> None:
    """The old settings stay in force, with their keys; the log has the problem, and the next valid .env is applied."""
    written(path, upstream, "a")
    env = path.with_name(".env")
    async with served(path) as (child, gateway):
        for content, problem in ((b"\xff\xfeK\0", "is UTF-16, not UTF-8"), (b"KEY=sk-\xe9\n", "is not UTF-8")):
            env.write_bytes(content)
            child.send_signal(signal.SIGHUP)
            assert problem in await logged(child, "configuration problem")
            await logged(child, "stays in force")
            assert (await gateway.chat()).status == 200
        env.write_text("KEY=sk-second-0123456789\n")
        await reloaded(child)
        assert (await gateway.chat()).status == 200
    keys = [request.headers["Authorization"] for request in upstream.requests]
    assert keys == ["Bearer sk-first-0123456789"] * 2 + ["Bearer sk-second-0123456789"]


async def test_settings_that_need_a_restart_are_logged(upstream: FakeUpstream, path: Path) -> None:
    """Host and body size keep their values; the rest of the file is applied."""
    written(path, upstream, "a")
    async with served(path) as (child, gateway):
        written(path, upstream, "b", server='host: "::1", max_body_mb: 1')
        child.send_signal(signal.SIGHUP)
        assert "server.host" in await logged(child, "takes effect after a restart")
        assert "server.max_body_mb" in await logged(child, "takes effect after a restart")
        await logged(child, "configuration reloaded")
        assert await names(gateway) == ["mom", "b"]


async def test_keys_change_with_the_file(upstream: FakeUpstream, path: Path) -> None:
    """From the next request on; they cannot be removed while other machines reach the socket."""
    written(path, upstream, "a", server="host: 0.0.0.0, api_keys: [{name: x, key: first}]")
    async with served(path) as (child, gateway):
        here = Gateway(gateway.url.replace("0.0.0.0", "127.0.0.1"), gateway.session)
        assert (await here.chat(headers={"Authorization": "Bearer first"})).status == 200
        written(path, upstream, "a", server="host: 0.0.0.0, api_keys: [{name: x, key: second}]")
        await reloaded(child)
        assert (await here.chat(headers={"Authorization": "Bearer first"})).status == 401
        assert (await here.chat(headers={"Authorization": "Bearer second"})).status == 200
        written(path, upstream, "a")
        child.send_signal(signal.SIGHUP)
        assert "server.api_keys: must not be removed" in await logged(child, "configuration problem")
        assert (await here.chat()).status == 401


async def test_limits_change_for_waiting_requests(upstream: FakeUpstream, path: Path) -> None:
    """A larger limit admits them at once."""
    gate = asyncio.Event()
    upstream.default = after(gate, answer("served"))
    written(path, upstream, "a", server="max_concurrent_requests: 1, max_queue_wait_s: 60")
    async with served(path) as (child, gateway):
        asking = [asyncio.create_task(gateway.chat(ask(str(n)))) for n in range(2)]
        await upstream.wait_for(1)
        await loaded(gateway, waiting=1)
        written(path, upstream, "a", server="max_concurrent_requests: 2")
        child.send_signal(signal.SIGHUP)
        await upstream.wait_for(2)
        gate.set()
        assert [(await each).text for each in asking] == ["served", "served"]


async def test_a_watched_file_is_reloaded_when_it_changes(upstream: FakeUpstream, path: Path) -> None:
    """Without a signal."""
    upstream.default = from_request(lambda request: str(request["model"]))
    written(path, upstream, "a", server="watch: true")
    async with served(path) as (child, gateway):
        assert (await gateway.chat()).text == "a"
        written(path, upstream, "b", server="watch: true")
        await logged(child, "configuration reloaded")
        assert (await gateway.chat()).text == "b"


async def test_embedded_models_that_stay_keep_their_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removed ones end after the last request of their snapshot, new ones start; all end with the gateway."""
    made: list[EmbeddedModels] = []

    def make(*arguments: Any, **options: Any) -> EmbeddedModels:
        made.append(EmbeddedModels(*arguments, program=llama.PROGRAM, **options))
        return made[-1]

    monkeypatch.setattr(supervisor, "EmbeddedModels", make)
    stays, goes, comes = (Weights(path=gguf(tmp_path / name)) for name in ("stays", "goes", "comes"))
    app = make_app(settings([on(stays), on(goes)]), models_dir=tmp_path)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        async with asyncio.timeout(60):
            before = await made[0].endpoint(stays)
            with app[SNAPSHOTS].lease():
                await apply_settings(app, settings([on(stays), on(comes)]))
                await asyncio.gather(*map(made[0].endpoint, (stays, goes, comes)))
                assert len(made[0].list_statuses()) == 3
            while len(made[0].list_statuses()) > 2:  # noqa: ASYNC110 -- the states are for readers that poll
                await asyncio.sleep(0.005)
            assert await made[0].endpoint(stays) == before
            assert not app[SNAPSHOTS].current.not_ready()
    finally:
        await runner.cleanup()
    assert len(made) == 1
    assert made[0].list_statuses() == ()


def gguf(folder: Path) -> Path:
    """Return the path of new weights that serve, in a folder of their own."""
    folder.mkdir()
    return llama.gguf(folder, "serve")


def on(weights: Weights) -> Model:
    """Return a model on these weights."""
    assert weights.path is not None
    return model(weights.path.parent.name, "", api_key=None, provider="embedded", weights=weights)
