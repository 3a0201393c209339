"""Claude Code and Codex consult a panel over MCP while their own model keeps acting."""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.clients.processes import Ended, node_program, run
from tests.clients.stage import Scene, Stage
from tests.fakes import answer, tool_call
from tests.processes import ROOT

pytestmark = pytest.mark.clients

QUESTION = "Is the plan sound?"
ADVICE = "The plan is sound, but test it first."
POINT = "- the tests: A wants them first; B does not"
DONE = "The panel says to test first."

_CODEX_CONFIG = """\
model = "mom"
model_provider = "mom"

[model_providers.mom]
name = "Mixture-of-Models Gateway"
base_url = "{url}"
wire_api = "responses"
env_key = "MOM_API_KEY"

[mcp_servers.mom]
command = "{python}"
args = ["{gateway}", "mcp", "--url", "{url}"]
tool_timeout_sec = 600
required = true
"""


async def claude_code(stage: Stage, home: Path, prompt: str) -> Ended:
    """Run Claude Code with the MCP server of docs/clients.md."""
    server = {"command": sys.executable, "args": [str(ROOT / "gateway.py"), "mcp", "--url", stage.url]}
    (home / ".mcp.json").write_text(json.dumps({"mcpServers": {"mom": server}}), encoding="utf-8")
    return await run(
        node_program("claude-code", "claude"),
        *("-p", "--mcp-config", ".mcp.json", "--allowedTools", "mcp__mom__consult", "--", prompt),
        home=home,
        ANTHROPIC_BASE_URL=stage.url.removesuffix("/v1"),
        ANTHROPIC_AUTH_TOKEN="any",
        ANTHROPIC_MODEL="mom",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
        CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS="1",
    )


async def codex(stage: Stage, home: Path, prompt: str) -> Ended:
    """Run Codex with the MCP server of docs/clients.md."""
    (home / ".codex").mkdir()
    config = _CODEX_CONFIG.format(url=stage.url, python=sys.executable, gateway=ROOT / "gateway.py")
    (home / ".codex" / "config.toml").write_text(config, encoding="utf-8")
    options = ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
    return await run(node_program("codex", "codex"), *options, prompt, home=home, MOM_API_KEY="any")


@pytest.mark.parametrize("agent", [claude_code, codex])
async def test_an_agent_consults_a_panel(
    stage: Stage, tmp_path: Path, agent: Callable[[Stage, Path, str], Awaitable[Ended]]
) -> None:
    """Its model calls the tool, reads the answer with each member's and their disagreements, and finishes."""
    (tmp_path / "plan.md").write_text("1. Ship it.\n", encoding="utf-8")
    call = tool_call("mcp__mom__consult", json.dumps({"question": QUESTION, "files": ["plan.md"]}), call_id="call_1")
    stage.play(
        Scene(DONE, cue='"role": "tool"'),
        Scene(POINT, cue="points on which these answers disagree"),
        Scene(ADVICE, cue="1. Ship it."),
        Scene(answer(None, tool_calls=[call])),
    )
    ended = await agent(stage, tmp_path, "Go on with the plan")
    assert ended.code == 0, ended.stderr
    assert DONE in ended.stdout
    result = next(message for message in stage.asked()[-1]["messages"] if message["role"] == "tool")
    said = json.dumps(result["content"])
    assert ADVICE in said
    assert "First draft." in said
    assert POINT in said
