"""Claude Code and Codex: a slow panel is waited for, a failed tool call answered, a final failure not repeated."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.clients.agents import AGENTS, Agent
from tests.clients.stage import CRITIC, PANEL, VERDICT, Scene, Stage
from tests.fakes import answer, status, tool_call

CODERS = {name: AGENTS[name] for name in ("claude-code", "codex")}
SILENCE_S = 30.0  # their own watchdogs give up after about 20 s

pytestmark = [pytest.mark.clients, pytest.mark.parametrize("agent", CODERS.values(), ids=CODERS)]


async def test_a_silent_panel_is_waited_for(stage: Stage, tmp_path: Path, agent: Agent) -> None:
    """Half a minute of silence costs neither the answer nor a second request."""
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


async def test_a_failed_tool_call_is_answered(stage: Stage, tmp_path: Path, agent: Agent) -> None:
    """A file that cannot be written is the result of the critic's call, and the work goes on."""
    blocker = tmp_path / "blocker"
    blocker.write_text("A file, not a folder.\n", encoding="utf-8")
    arguments = agent.arguments(blocker / "greeting.txt", "Hello.\n")
    call = tool_call(agent.tool, json.dumps(arguments), call_id="call_of_critic")
    stage.play(Scene("It cannot be written.", cue='"role": "tool"'), Scene(answer(None, tool_calls=[call])))
    ended = await agent.run(stage, tmp_path, "Write a greeting")
    assert "It cannot be written." in ended.stdout, ended.stderr
    result = stage.asked()[-1]["messages"][-1]
    assert result["tool_call_id"] == "call_of_critic"
    assert "not a directory" in json.dumps(result["content"]).lower() or "ENOTDIR" in json.dumps(result["content"]), (
        result
    )
