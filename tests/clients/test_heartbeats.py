"""Clients ignore the gateway's heartbeats: comments in a stream, white space before JSON."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from config.settings import Server
from tests.clients import driving
from tests.clients.stage import VERDICT, Scene, Stage, configured
from tests.fakes import FakeUpstream, answer
from tests.running import running

pytestmark = pytest.mark.clients


@pytest.fixture
async def slow_stage(upstream: FakeUpstream) -> AsyncGenerator[Stage]:
    """Give a gateway that beats many times before its critic has said anything."""
    server = Server(port=0, stream_heartbeat_s=0.02, json_heartbeat_s=0.02)
    async with running(configured(upstream, server=server)) as gateway:
        stage = Stage(f"{gateway.url}/v1", upstream)
        stage.play(Scene(answer(VERDICT, delay_s=0.5)))
        yield stage


@pytest.mark.parametrize("case", ["basic", "stream_accumulated"])
async def test_openai_python(slow_stage: Stage, tmp_path: Path, case: str) -> None:
    made = await driving.openai_python(slow_stage, case, tmp_path)
    assert made.get("completion", made)["choices"][0]["message"]["content"] == VERDICT


@pytest.mark.parametrize("case", ["basic", "streamHelper"])
async def test_openai_node(slow_stage: Stage, tmp_path: Path, case: str) -> None:
    made = await driving.openai_node(slow_stage, case, tmp_path)
    assert made["choices"][0]["message"]["content"] == VERDICT


async def test_langchain(slow_stage: Stage, tmp_path: Path) -> None:
    assert (await driving.langchain(slow_stage, "invoke", tmp_path))["text"] == VERDICT
    assert "".join((await driving.langchain(slow_stage, "stream", tmp_path))["texts"]) == VERDICT


@pytest.mark.parametrize("options", [[], ["--no-stream"]])
async def test_llm(slow_stage: Stage, tmp_path: Path, options: list[str]) -> None:
    assert (await driving.llm(slow_stage, tmp_path, *options, "Why?")).stdout == VERDICT + "\n"


@pytest.mark.parametrize("streaming", ["--stream", "--no-stream"])
async def test_aider(slow_stage: Stage, tmp_path: Path, streaming: str) -> None:
    ended = await driving.aider(slow_stage, tmp_path, streaming, "--chat-mode", "ask", "--no-git", "--message", "Why?")
    assert VERDICT.splitlines()[-1] in ended.stdout
