"""opencode, Continue and Cline over a mixture: they stream, use their tools, and show errors."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.clients.agents import AGENTS, Agent
from tests.clients.stage import CRITIC, PANEL, VERDICT, Scene, Stage, configured
from tests.fakes import FakeUpstream, answer, status, tool_call
from tests.running import running

ROUTED = "anthropic/critic"

pytestmark = [pytest.mark.clients, pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)]


async def test_an_agent_s_question_is_answered(stage: Stage, tmp_path: Path, agent: Agent) -> None:
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
    assert any(body["messages"][-1].get("tool_call_id") == "call_of_critic" for body in stage.asked())


async def test_the_panel_advises_an_agent_on_each_turn(upstream: FakeUpstream, tmp_path: Path, agent: Agent) -> None:
    """The panel advises on each turn, behind the agent's own conversation, whose breakpoints are set for it."""
    config = configured(upstream)
    mixture = replace(config.mixtures[0], tools_fan_out="every_turn")
    models = [
        replace(each, provider="openrouter", model=ROUTED) if each.name == CRITIC else each for each in config.models
    ]
    file = tmp_path / "greeting.txt"
    call = tool_call(agent.tool, json.dumps(agent.arguments(file, "Hello.\n")), call_id="call_of_critic")
    async with running(replace(config, models=tuple(models), mixtures=(mixture,))) as gateway:
        stage = Stage(f"{gateway.url}/v1", upstream)
        stage.play(Scene("It is written.", cue='"role": "tool"'), Scene(answer(None, tool_calls=[call])), critic=ROUTED)
        ended = await agent.run(stage, tmp_path, "Write a greeting")
    assert ended.code == 0, ended.stderr
    assert "It is written." in ended.stdout
    assert file.read_text(encoding="utf-8") == "Hello.\n"
    (after,) = [body for body in stage.asked(ROUTED) if any(each["role"] == "tool" for each in body["messages"])]
    assert "cache_control" in json.dumps(after["messages"])
    result, advice = after["messages"][-2:]
    assert (result["role"], advice["role"]) == ("tool", "user")
    assert "advisors" in advice["content"]
    assert any("You advise it" in body["messages"][-1]["content"] for body in stage.asked(PANEL[0]))


async def test_the_causes_of_an_error_are_shown(stage: Stage, tmp_path: Path, agent: Agent) -> None:
    """If no model can answer, the user sees the gateway's causes."""
    refused = status(400, body={"error": {"message": "broken for good"}})
    for name in (*PANEL, CRITIC):
        stage.upstream.script(name, refused)
    ended = await agent.run(stage, tmp_path, "What is the answer?")
    assert "critic: broken for good" in ended.stdout + ended.stderr
