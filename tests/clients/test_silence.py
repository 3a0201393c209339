"""Claude Code and Codex wait for a slow panel, and do not ask again after a final failure."""

import asyncio
from pathlib import Path

import pytest

from tests.clients.agents import AGENTS, Agent
from tests.clients.stage import CRITIC, PANEL, VERDICT, Scene, Stage
from tests.fakes import answer, status

CODERS = {name: AGENTS[name] for name in ("claude-code", "codex")}
SILENCE_S = 30.0  # their own watchdogs give up after about 20 s

pytestmark = [pytest.mark.clients, pytest.mark.parametrize("agent", CODERS.values(), ids=CODERS)]


async def test_a_silent_panel_is_waited_for(stage: Stage, tmp_path: Path, agent: Agent) -> None:
    """Half a minute without a word from any model costs neither the answer nor a second request."""
    stage.play(Scene(VERDICT, drafts=(answer("First.", delay_s=SILENCE_S), "Second.", "Third.")))
    ended = await agent.run(stage, tmp_path, "What is the answer?")
    assert VERDICT.splitlines()[-1] in ended.stdout, ended.stderr
    assert len(stage.asked("a")) == 1


async def test_a_final_failure_is_shown_and_not_repeated(stage: Stage, tmp_path: Path, agent: Agent) -> None:
    """Every cause is printed, and each model was asked once: the agent sent one request."""
    for name in (*PANEL, CRITIC):
        stage.upstream.script(name, status(500, body={"error": {"message": f"{name} is broken"}}))
    ended = await agent.run(stage, tmp_path, "What is the answer?")
    await asyncio.sleep(0)
    assert f"{CRITIC} is broken" in ended.stdout + ended.stderr
    assert [len(stage.asked(name)) for name in (*PANEL, CRITIC)] == [1, 1, 1, 1]
