"""Children start, restart and never outlive the gateway; downloads of their weights are reported."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog.testing
from aiohttp import web
from aiohttp.test_utils import TestServer

from config.settings import Weights
from tests.fakes import llama
from upstream.embedded.catalogue import HubSource, Weight
from upstream.embedded.supervisor import EmbeddedModels, EmbeddedNotReadyError, ModelStatus, Phase
from upstream.embedded.transfer import Transfer

ROOT = Path(__file__).parents[3]
WAIT_S = 60.0  # far more than any of this takes

Sleep = Callable[[float], Awaitable[None]]


class Naps:
    """A sleep that returns at once and records its durations."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def running(weights: Iterable[Weights], folder: Path, **options: Any) -> AsyncGenerator[EmbeddedModels]:
    models = EmbeddedModels(weights, models_dir=folder / "models", program=llama.PROGRAM, **options)
    await models.start()
    try:
        async with asyncio.timeout(WAIT_S):
            yield models
    finally:
        await models.close()


async def reaches(models: EmbeddedModels, phase: Phase) -> ModelStatus:
    while (state := models.list_statuses()[0]).phase != phase:  # noqa: ASYNC110 -- the states are for readers that poll
        await asyncio.sleep(0.005)
    return state


async def describe_child(models: EmbeddedModels, weights: Weights) -> dict[str, Any]:
    """Return the child's description of itself."""
    endpoint = await models.endpoint(weights)
    async with aiohttp.ClientSession() as session, session.get(endpoint.base_url) as reply:
        body: dict[str, Any] = json.loads(await reply.read())
        return body


async def test_a_child_gets_its_settings(tmp_path: Path) -> None:
    """Context for each slot, threads as configured, a free port on loopback."""
    weights = Weights(path=llama.gguf(tmp_path, "serve"), context_tokens=1024, slots=3, threads=1)
    async with running([weights], tmp_path) as models:
        params = (await describe_child(models, weights))["params"]
    assert (params["n_ctx"], params["n_parallel"]) == (3 * 1024, 3)
    assert params["cpuparams"]["n_threads"] == params["cpuparams_batch"]["n_threads"] == 1
    assert (params["hostnames"], params["port"], params["offline"]) == (["127.0.0.1"], 0, True)
    assert params["model_alias"] == ["serve"]


async def test_the_key_is_new_for_each_run_and_on_no_command_line(tmp_path: Path) -> None:
    """The child gets its key through stdin, and the endpoint has the same key."""
    weights = Weights(path=llama.gguf(tmp_path, "serve"))
    keys = []
    for _ in range(2):
        async with running([weights], tmp_path) as models:
            endpoint, child = await models.endpoint(weights), await describe_child(models, weights)
        assert endpoint.api_key is not None
        assert child["params"]["api_keys"] == [endpoint.api_key.value]
        assert endpoint.api_key.value not in child["argv"]
        keys.append(endpoint.api_key.value)
    assert keys[0] != keys[1]
    assert min(map(len, keys)) >= 32


async def test_the_child_gets_only_the_variables_it_needs(tmp_path: Path) -> None:
    """No keys, no proxies; OpenMP's spinning is limited."""
    weights = Weights(path=llama.gguf(tmp_path, "serve"))
    environ = {"HOME": "/home/someone", "OPENAI_API_KEY": "sk-1", "https_proxy": "http://proxy", "PYTHONPATH": "x"}
    async with running([weights], tmp_path, environ=environ) as models:
        seen = (await describe_child(models, weights))["environ"]
    assert seen.pop("LC_CTYPE", "C.UTF-8") == "C.UTF-8"  # set by Python itself
    assert seen == {"HOME": "/home/someone", "GOMP_SPINCOUNT": "1000"}


async def test_equal_weights_share_a_child_and_others_do_not(tmp_path: Path) -> None:
    path = llama.gguf(tmp_path, "serve")
    one, same, other = Weights(path=path), Weights(path=path), Weights(path=path, slots=1)
    async with running([one, same], tmp_path) as models:
        assert len(models.list_statuses()) == 1
        assert (await models.endpoint(one)).base_url == (await models.endpoint(same)).base_url
    assert len(EmbeddedModels([one, other], models_dir=tmp_path).list_statuses()) == 2


async def test_a_child_may_start_on_demand(tmp_path: Path) -> None:
    """The first call starts it, further configurations keep it, and it ends when it is no longer configured."""
    (tmp_path / "rarely").mkdir()
    always, rarely = (Weights(path=llama.gguf(folder, "serve")) for folder in (tmp_path, tmp_path / "rarely"))
    async with running([], tmp_path) as models:
        await models.keep([always], on_demand=[always, rarely])
        await models.endpoint(always)
        assert len(models.list_statuses()) == 1
        pid = (await describe_child(models, rarely))["pid"]
        await models.keep([always], on_demand=[rarely])
        assert (await describe_child(models, rarely))["pid"] == pid
        await models.keep([always])
        assert len(models.list_statuses()) == 1
        with pytest.raises(KeyError):
            await models.endpoint(rarely)


async def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    """After a SIGKILL the endpoint is that of a new process; the first pause is short."""
    weights, naps = Weights(path=llama.gguf(tmp_path, "serve")), Naps()
    async with running([weights], tmp_path, sleep=naps, random=lambda: 0.0) as models:
        first = await describe_child(models, weights)
        os.kill(first["pid"], signal.SIGKILL)
        await reaches(models, "restarting")
        second = await describe_child(models, weights)
        assert second["pid"] != first["pid"]
        assert second["params"]["api_keys"] != first["params"]["api_keys"]
    assert naps.seconds == [0.5]


async def test_a_child_that_never_becomes_ready_is_retried_with_growing_pauses(tmp_path: Path) -> None:
    """The pauses double up to a limit, minus a random part; the reason is llama.cpp's first error."""
    weights = Weights(path=llama.gguf(tmp_path, "refuse"))
    enough, naps = asyncio.Event(), Naps()

    async def sleep(seconds: float) -> None:
        await naps(seconds)
        if len(naps.seconds) == 3:
            enough.set()
            await asyncio.Event().wait()

    async with running([weights], tmp_path, sleep=sleep, random=lambda: 0.5) as models:
        await enough.wait()
        assert models.list_statuses()[0].phase == "failed"
        with pytest.raises(EmbeddedNotReadyError, match="Failed to init server; gguf_init: bad GGUF version: 0"):
            await models.endpoint(weights)
    assert naps.seconds == [0.375, 0.75, 1.5]


async def test_callers_wait_while_a_child_is_restarted(tmp_path: Path) -> None:
    """A call between two processes gets the endpoint of the second."""
    weights, gate = Weights(path=llama.gguf(tmp_path, "serve")), asyncio.Event()

    async def sleep(_seconds: float) -> None:
        await gate.wait()

    async with running([weights], tmp_path, sleep=sleep) as models:
        first = await describe_child(models, weights)
        os.kill(first["pid"], signal.SIGKILL)
        await reaches(models, "restarting")
        waiting = asyncio.create_task(models.endpoint(weights))
        await asyncio.sleep(0)
        assert not waiting.done()
        gate.set()
        await waiting
        assert (await describe_child(models, weights))["pid"] != first["pid"]


async def test_a_stable_child_resets_the_failures(tmp_path: Path) -> None:
    """A child that crashes once an hour is always restarted after the shortest pause."""
    weights, naps, hours = Weights(path=llama.gguf(tmp_path, "serve")), Naps(), iter(range(0, 36_000_000, 3600))
    async with running([weights], tmp_path, sleep=naps, random=lambda: 0.0, clock=lambda: float(next(hours))) as models:
        for life in range(4):
            os.kill((await describe_child(models, weights))["pid"], signal.SIGKILL)
            while len(naps.seconds) <= life:  # noqa: ASYNC110 -- another process's doing
                await asyncio.sleep(0.005)
            await reaches(models, "ready")
    assert naps.seconds == [0.5] * 4


async def test_closing_ends_and_reaps_every_child(tmp_path: Path) -> None:
    """After close there is no child, not even a zombie."""
    weights = Weights(path=llama.gguf(tmp_path, "serve"))
    async with running([weights], tmp_path) as models:
        pid = (await describe_child(models, weights))["pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_closing_ends_a_child_that_is_still_loading(tmp_path: Path) -> None:
    """Although loading holds the interpreter's lock, the child ends without being killed."""
    path = llama.gguf(tmp_path, "hold")
    with structlog.testing.capture_logs() as logs:
        async with running([Weights(path=path)], tmp_path):
            await llama.alive(path)
    await asyncio.wait_for(llama.dead(path), WAIT_S)
    assert [entry for entry in logs if "killed" in entry["event"]] == []


@pytest.mark.parametrize("kind", ["serve", "hold"])
async def test_no_child_outlives_a_gateway_that_is_killed(tmp_path: Path, kind: str) -> None:
    """After a SIGKILL of the gateway the child ends, whether it serves or loads."""
    path = llama.gguf(tmp_path, kind)
    code = f"""if True:
        import asyncio
        from pathlib import Path
        from config.settings import Weights
        from tests.fakes import llama
        from upstream.embedded.supervisor import EmbeddedModels
        async def main():
            weights = Weights(path=Path({str(path)!r}))
            models = EmbeddedModels([weights], models_dir=Path({str(tmp_path)!r}), program=llama.PROGRAM)
            await models.start()
            await models.endpoint(weights)
            print("it is ready", flush=True)
            await asyncio.Event().wait()
        asyncio.run(main())
    """
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert parent.stdout is not None
    try:
        async with asyncio.timeout(WAIT_S):
            if kind == "serve":
                await parent.stdout.readuntil(b"it is ready\n")
            await llama.alive(path)
    finally:
        parent.kill()
        await parent.wait()
    await asyncio.wait_for(llama.dead(path), WAIT_S)


async def test_a_file_that_is_no_gguf_is_reported_before_a_start(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a model", encoding="utf-8")
    weights = Weights(path=path)
    async with running([weights], tmp_path, sleep=lambda _: asyncio.Event().wait()) as models:
        state = await reaches(models, "failed")
        assert state.reason == f"{path}: is not a GGUF file"
        with pytest.raises(EmbeddedNotReadyError, match="is not a GGUF file"):
            await models.endpoint(weights)


async def test_weights_that_appear_later_are_found(tmp_path: Path) -> None:
    """A fix by the operator takes effect at the next retry, without a restart."""
    weights, gate = Weights(path=tmp_path / "serve.gguf"), asyncio.Event()
    async with running([weights], tmp_path, sleep=lambda _: gate.wait()) as models:
        assert "No such file" in (await reaches(models, "failed")).reason
        llama.gguf(tmp_path, "serve")
        gate.set()
        await reaches(models, "ready")


async def test_calls_are_refused_with_progress_while_weights_are_installed(tmp_path: Path) -> None:
    """The reason has the progress; closing stops the download and keeps the partial file."""
    hang, progress = asyncio.Event(), list[tuple[str, Transfer]]()

    async def half(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"Content-Length": "4000000"})
        await reply.prepare(request)
        await reply.write(bytes(1_720_000))
        await hang.wait()
        return reply

    app = web.Application()
    app.router.add_get("/tiny", half)
    async with TestServer(app) as server:
        tiny = Weight("tiny", 4_000_000, "0" * 64, "MIT", (HubSource(str(server.make_url("/tiny"))),))
        weights = Weights(name="tiny")
        options = {
            "catalogue": {"tiny": tiny},
            "on_progress": lambda *step: progress.append(step),
            "clock": lambda: 0.0,
        }
        async with running([weights], tmp_path, **options) as models:
            while not progress or progress[-1][1].done < 1_720_000:  # noqa: ASYNC110 -- the server's doing
                await asyncio.sleep(0.005)
            with pytest.raises(EmbeddedNotReadyError, match=r"^tiny: downloading, 43 % of 4 MB$") as refused:
                await models.endpoint(weights)
            assert refused.value.retry_after_s == 30
            assert models.list_statuses() == (ModelStatus("tiny", "installing", "tiny: downloading, 43 % of 4 MB"),)
        hang.set()
    assert {step[0] for step in progress} == {"tiny"}
    assert progress[-1] == ("tiny", Transfer(1_720_000, 4_000_000))
    assert (tmp_path / "models" / f"{tiny.file_name}.part").stat().st_size == 1_720_000


async def test_a_bug_in_the_supervisor_is_reported(tmp_path: Path) -> None:
    """Calls fail with a reason instead of waiting forever."""
    weights = Weights(name="no such weights")
    async with running([weights], tmp_path) as models:
        await reaches(models, "failed")
        with pytest.raises(EmbeddedNotReadyError, match="failed with an unexpected KeyError"):
            await models.endpoint(weights)


async def test_a_reason_is_logged_once(tmp_path: Path) -> None:
    """However often the weights are tried again."""
    naps = Naps()
    missing = Weights(path=tmp_path / "missing.gguf")
    with structlog.testing.capture_logs() as logs:
        async with running([missing], tmp_path, sleep=naps) as models:
            while len(naps.seconds) < 4:  # noqa: ASYNC110 -- its own pauses
                await asyncio.sleep(0.005)
            await reaches(models, "failed")
    lines = [line for line in logs if line["event"] == "weights are not available"]
    assert [line["log_level"] for line in lines][:4] == ["error", "debug", "debug", "debug"]
