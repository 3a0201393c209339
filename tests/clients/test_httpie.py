"""httpie, with the commands of the README and the banner."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.clients.processes import Ended
from tests.clients.stage import NAMES, VERDICT, Scene, Stage
from tests.clients.terminal import shell
from tests.running import KEY

pytestmark = pytest.mark.clients

GATEWAY = Path(__file__).parents[2] / "gateway.py"
MESSAGES = """messages:='[{"role":"user","content":"Hi"}]'"""


async def typed(line: str, home: Path) -> Ended:
    return await shell(line, client="httpie", home=home)


def port_of(stage: Stage) -> str:
    return stage.url.removesuffix("/v1").rpartition(":")[2]


def written(upstream_url: str) -> str:
    """Return a config.yaml of three models and a critic behind one upstream."""
    names = ("a", "b", "c", "critic")
    entry = {"base_url": upstream_url, "api_key": KEY}
    models = [{"name": name, "model": name, **entry} for name in names]
    mixture = {"name": "mom", "panel": list(names[:3]), "critic": "critic"}
    return json.dumps({"models": models, "mixtures": [mixture]})  # JSON is YAML


@asynccontextmanager
async def started(config: Path) -> AsyncGenerator[tuple[asyncio.subprocess.Process, str]]:
    """Start the gateway as a process; yield it with its banner, and end it afterwards."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, GATEWAY, "--config", config, "--port", "0"),
        cwd=config.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        banner = b""
        while b" aider " not in banner:
            line = await asyncio.wait_for(process.stdout.readline(), 60)
            assert line, "the gateway ended early"
            banner += line
        yield process, banner.decode()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_the_line_of_the_banner_works_when_it_is_pasted(stage: Stage, tmp_path: Path) -> None:
    """The gateway prints a command; it gets an answer; SIGTERM ends the gateway with exit code 0."""
    stage.play(Scene(VERDICT))
    config = tmp_path / "config.yaml"
    config.write_text(written(stage.upstream.base_url), encoding="utf-8")
    async with started(config) as (process, banner):
        (line,) = [line.strip() for line in banner.splitlines() if line.startswith("  http ")]
        ended = await typed(line, tmp_path)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0
    assert ended.json["choices"][0]["message"]["content"] == VERDICT


async def test_events_are_printed_as_they_arrive(stage: Stage, tmp_path: Path) -> None:
    """`--stream` with `stream:=true` prints the events as they come."""
    stage.play(Scene(VERDICT))
    line = f"http --stream --print=hb :{port_of(stage)}/v1/chat/completions model=mom stream:=true {MESSAGES}"
    ended = await typed(line, tmp_path)
    head, _, body = ended.stdout.replace("\r\n", "\n").partition("\n\n")
    assert "text/event-stream" in head
    events = [block.removeprefix("data: ") for block in body.split("\n\n") if block.strip()]
    assert events[-1] == "[DONE]"
    texts = [json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events[:-1]]
    assert "".join(texts) == VERDICT


async def test_a_string_in_place_of_a_boolean_is_refused(stage: Stage, tmp_path: Path) -> None:
    """`stream=false` sends a string; the reply says so, and how to write it."""
    line = f"http --check-status :{port_of(stage)}/v1/chat/completions model=mom stream=false {MESSAGES}"
    ended = await typed(line, tmp_path)
    assert ended.code == 4, "httpie's exit status for a 4xx"
    error = json.loads(ended.stdout)["error"]
    assert error["param"] == "stream"
    assert "stream:=false" in error["message"]
    assert stage.upstream.requests == []


async def test_form_data_is_refused_with_the_remedy(stage: Stage, tmp_path: Path) -> None:
    """`--form` sends no JSON; the reply says what to send."""
    ended = await typed(f"http --form :{port_of(stage)}/v1/chat/completions model=mom", tmp_path)
    assert "application/json" in ended.json["error"]["message"]


async def test_models_are_listed(stage: Stage, tmp_path: Path) -> None:
    """By the shortest request."""
    ended = await typed(f"http :{port_of(stage)}/v1/models", tmp_path)
    assert [model["id"] for model in ended.json["data"]] == NAMES
