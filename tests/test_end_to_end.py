"""The whole gateway on a real model, without a script."""

import asyncio
import os
from pathlib import Path

import pytest

from config import load
from tests.fakes.weights import models_dir_with_smollm2
from tests.running import Gateway, ask, running

CONFIG = """
models:
  - {name: careful, provider: embedded, model: smollm2-135m, params: {max_tokens: 24, temperature: 0}}
  - {name: wild, provider: embedded, model: smollm2-135m, params: {max_tokens: 24, temperature: 1.5, seed: 7}}
mixtures:
  - {name: mom, panel: [careful, wild], critic: careful}
"""


async def ready(gateway: Gateway) -> None:
    """Wait until /readyz says so; it gives the reason until then."""
    async with asyncio.timeout(300):
        while (reply := await gateway.request("GET", "/readyz")).status != 200:
            assert reply.json["reasons"]
            await asyncio.sleep(0.05)


@pytest.mark.embedded
async def test_a_real_panel_and_a_real_critic_answer(tmp_path: Path) -> None:
    """Two real answers of one child process, a real critic over them, in JSON and as a stream."""
    models_dir = await models_dir_with_smollm2()
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    async with running(load(path, os.environ), models_dir=models_dir, trace_dir=tmp_path / "traces") as gateway:
        await ready(gateway)
        reply = await gateway.chat(ask("Tell me a long story about the sea.", model="mom"))  # longer than both limits
        assert reply.status == 200, reply.raw
        assert reply.text.strip()
        assert reply.headers["x-mom-candidates"] == "2/2"
        usage = reply.json["usage"]
        assert usage["prompt_tokens"] > 0
        assert usage["mom"]["models"]["careful"]["calls"] >= 2
        assert usage["mom"]["estimated"] is False
        streamed = await gateway.chat(ask("Say hello.", model="careful", stream=True))
        assert streamed.streamed().strip()
        assert streamed.events[-1] == "[DONE]"
        too_long = await gateway.chat(ask("word " * 9000, model="careful"))
        assert (too_long.status, too_long.error["code"]) == (400, "context_length_exceeded")
