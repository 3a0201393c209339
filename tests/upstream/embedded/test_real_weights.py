"""A real model: installed by the product's own code, served by llama.cpp, asked over HTTP."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from config.settings import Weights
from tests.fakes.weights import SMOLLM2, models_dir_with_smollm2
from upstream.embedded.supervisor import EmbeddedModels

WAIT_S = 300.0


@pytest.mark.embedded
async def test_a_real_model_streams_an_answer() -> None:
    """Text, a finish reason and the usage arrive as OpenAI's chunks; without the key nothing does."""
    weights = Weights(name=SMOLLM2, context_tokens=512, slots=1, threads=1)
    models = EmbeddedModels([weights], models_dir=await models_dir_with_smollm2())
    await models.start()
    try:
        async with asyncio.timeout(WAIT_S):
            endpoint = await models.endpoint(weights)
            assert endpoint.api_key is not None
            url = f"{endpoint.base_url}/chat/completions"
            assert (await ask(url, "a wrong key"))[0] == 401
            status, chunks = await ask(url, endpoint.api_key.value)
    finally:
        await models.close()
    assert status == 200
    choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    assert text.strip()
    assert choices[-1]["finish_reason"] in ("stop", "length")
    assert chunks[-1]["usage"]["completion_tokens"] > 0
    assert {chunk["model"] for chunk in chunks} == {SMOLLM2}


async def ask(url: str, key: str) -> tuple[int, list[dict[str, Any]]]:
    body = {
        "messages": [{"role": "user", "content": "Say hello."}],
        "max_tokens": 16,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as reply:
        lines = (await reply.text()).splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: {")]
    return reply.status, [json.loads(text) for text in data]
