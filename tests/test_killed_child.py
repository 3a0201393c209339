"""SIGKILL of an embedded model's process in the middle of a request."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from config.settings import Critic, Model
from tests.embedded_gateway import on_stand_in, pid_of, tiny
from tests.fakes import FakeUpstream, answer
from tests.running import Gateway, Reply, ask, model, running, settings

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    on_stand_in(monkeypatch)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_killed_proposer_costs_only_its_own_answer(
    upstream: FakeUpstream, tmp_path: Path, stream: bool
) -> None:
    """The other members answer the request."""
    upstream.default = answer("hosted")
    child = tiny(tmp_path)
    async with running(settings([child, model("b", upstream)], critic=Critic("b"))) as gateway:
        reply = await _asked_and_killed(gateway, child, ask(stream=stream))
    assert reply.headers["x-mom-candidates"] == "1/2"
    assert (reply.streamed() if stream else reply.text) == "hosted"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_killed_critic_is_replaced(upstream: FakeUpstream, tmp_path: Path, stream: bool) -> None:
    """Its fallback answers."""
    upstream.script("a", answer("one"))
    upstream.script("b", answer("two"))
    upstream.script("c", answer("both"))
    child = tiny(tmp_path)
    models = [child, *(model(name, upstream) for name in "abc")]
    config = settings(models, panel=("a", "b"), critic=Critic("tiny", fallbacks=("c",)))
    async with running(config) as gateway:
        reply = await _asked_and_killed(gateway, child, ask(stream=stream))
    assert (reply.streamed() if stream else reply.text) == "both"


async def test_a_killed_single_model_gives_a_clear_error(tmp_path: Path) -> None:
    """No other model can answer."""
    child = tiny(tmp_path)
    async with running(settings([child])) as gateway:
        reply = await _asked_and_killed(gateway, child, ask())
    assert reply.status == 502
    assert [cause["kind"] for cause in reply.error["causes"]] == ["disconnected"]


async def _asked_and_killed(gateway: Gateway, child: Model, body: Any) -> Reply:
    """Return the reply to a request in the middle of which the child is killed."""
    assert child.weights is not None
    asked = Path(f"{child.weights.path}.asked")
    async with asyncio.timeout(WAIT_S):
        pid = await pid_of(gateway, child)
        asking = asyncio.create_task(gateway.chat(body))
        while not await asyncio.to_thread(asked.exists):  # noqa: ASYNC110 -- another process's doing
            await asyncio.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        return await asking
