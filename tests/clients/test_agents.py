"""opencode, Continue and Cline over a mixture: they stream, use their tools, and tell what went wrong."""

import json
from pathlib import Path

import pytest

from tests.clients.agents import AGENTS, Agent
from tests.clients.stage import CRITIC, PANEL, VERDICT, Scene, Stage
from tests.fakes import answer, status, tool_call

pytestmark = [pytest.mark.clients, pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)]


async def test_a_question(stage: Stage, tmp_path: Path, agent: Agent) -> None:
    """The critic's text comes as a stream, and is printed; the panel is asked once, and reads of the tools in words.

    What is asked beside it, for a title, is asked of one model.
    """
    stage.play(Scene(VERDICT))
    ended = await agent.run(stage, tmp_path, "What is the answer?")
    assert ended.code == 0, ended.stderr
    assert VERDICT in ended.stdout
    asked = stage.asked()[-1]
    assert asked["stream"] is True
    assert agent.tool in [tool["function"]["name"] for tool in asked["tools"]]
    drafted = [body for name in PANEL for body in stage.asked(name)]
    assert len(drafted) == len(PANEL)
    assert all("tools" not in body for body in drafted)


async def test_a_file_is_written(stage: Stage, tmp_path: Path, agent: Agent) -> None:
    """The critic calls the agent's own tool, whose result it reads before it answers."""
    file = tmp_path / "greeting.txt"
    call = tool_call(agent.tool, json.dumps(agent.arguments(file, "Hello.\n")), call_id="call_of_critic")
    stage.play(Scene("It is written.", cue='"role": "tool"'), Scene(answer(None, tool_calls=[call])))
    ended = await agent.run(stage, tmp_path, "Write a greeting")
    assert ended.code == 0, ended.stderr
    assert "It is written." in ended.stdout
    assert file.read_text(encoding="utf-8") == "Hello.\n"
    assert stage.asked()[-1]["messages"][-1]["tool_call_id"] == "call_of_critic"


async def test_an_error_is_told(stage: Stage, tmp_path: Path, agent: Agent) -> None:
    """When no model could answer, the gateway's causes reach whoever sits in front."""
    refused = status(400, body={"error": {"message": "broken for good"}})
    for name in (*PANEL, CRITIC):
        stage.upstream.script(name, refused)
    ended = await agent.run(stage, tmp_path, "What is the answer?")
    assert "critic: broken for good" in ended.stdout + ended.stderr
