"""The coding agents that take a prompt on their command line: their configuration for the gateway, and their call."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.clients.processes import Ended, node_program, run
from tests.clients.stage import Stage

_CONTINUE_CONFIG = """\
name: mom
version: 1.0.0
schema: v1
models:
  - {{name: mom, provider: openai, model: mom, apiBase: "{url}", apiKey: any, roles: [chat], capabilities: [tool_use]}}
"""

_CODEX_CONFIG = """\
model = "mom"
model_provider = "mom"

[model_providers.mom]
name = "Mixture-of-Models Gateway"
base_url = "{url}"
wire_api = "responses"
env_key = "MOM_API_KEY"
"""


async def opencode(stage: Stage, home: Path, prompt: str) -> Ended:
    """Run opencode with permission to use its tools."""
    options = {"baseURL": stage.url, "apiKey": "any"}
    provider = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {"mom": {}}}
    config = {"provider": {"mom": provider}, "model": "mom/mom", "autoupdate": False}
    (home / "opencode.json").write_text(json.dumps(config), encoding="utf-8")
    return await run(node_program("opencode", "opencode"), "run", "--auto", prompt, home=home)


async def continued(stage: Stage, home: Path, prompt: str) -> Ended:
    """Run Continue's `cn` with permission to use its tools."""
    (home / "config.yaml").write_text(_CONTINUE_CONFIG.format(url=stage.url), encoding="utf-8")
    return await run(node_program("continue", "cn"), "-p", "--auto", "--config", "config.yaml", prompt, home=home)


async def cline(stage: Stage, home: Path, prompt: str) -> Ended:
    """Run Cline in a sandbox that leaves no process behind."""
    program = node_program("cline", "cline")
    sandboxed = partial(run, program, home=home, CLINE_SANDBOX="1", CLINE_SANDBOX_DATA_DIR=str(home / "cline"))
    await sandboxed("auth", "-p", "openai", "-k", "any", "-m", "mom", "-b", stage.url)
    return await sandboxed("-P", "openai", "-m", "mom", prompt)


async def claude_code(stage: Stage, home: Path, prompt: str) -> Ended:
    """Run Claude Code with permission to use its tools; it speaks Anthropic's Messages."""
    return await run(
        node_program("claude-code", "claude"),
        "-p",
        "--permission-mode",
        "acceptEdits",
        prompt,
        home=home,
        ANTHROPIC_BASE_URL=stage.url.removesuffix("/v1"),
        ANTHROPIC_AUTH_TOKEN="any",
        ANTHROPIC_MODEL="mom",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
        CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS="1",
    )


async def codex(stage: Stage, home: Path, prompt: str, *, command: tuple[str, ...] = ("exec",)) -> Ended:
    """Run Codex without its sandbox; it speaks OpenAI's Responses."""
    (home / ".codex").mkdir(exist_ok=True)
    (home / ".codex" / "config.toml").write_text(_CODEX_CONFIG.format(url=stage.url), encoding="utf-8")
    options = (*command, "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
    return await run(node_program("codex", "codex"), *options, prompt, home=home, MOM_API_KEY="any")


async def codex_resumed(stage: Stage, home: Path, prompt: str) -> Ended:
    """Send a further message in the last session of Codex."""
    return await codex(stage, home, prompt, command=("exec", "resume", "--last"))


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent, and the call of its own tool that writes a text to a file."""

    run: Callable[[Stage, Path, str], Awaitable[Ended]]
    tool: str
    arguments: Callable[[Path, str], Mapping[str, Any]]


AGENTS = {
    "opencode": Agent(opencode, "write", lambda file, text: {"filePath": str(file), "content": text}),
    "continue": Agent(continued, "Write", lambda file, text: {"filepath": str(file), "content": text}),
    "cline": Agent(cline, "editor", lambda file, text: {"path": str(file), "new_text": text}),
    "claude-code": Agent(claude_code, "Write", lambda file, text: {"file_path": str(file), "content": text}),
    "codex": Agent(codex, "exec_command", lambda file, text: {"cmd": f"cat > {file} <<'END'\n{text}END"}),
}
