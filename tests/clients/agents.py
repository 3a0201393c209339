"""The coding agents that are driven by a prompt on their command line: how each is told of the gateway, and called."""

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


async def opencode(stage: Stage, home: Path, prompt: str) -> Ended:
    """Run opencode with leave to use its tools."""
    options = {"baseURL": stage.url, "apiKey": "any"}
    provider = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {"mom": {}}}
    config = {"provider": {"mom": provider}, "model": "mom/mom", "autoupdate": False}
    (home / "opencode.json").write_text(json.dumps(config), encoding="utf-8")
    return await run(node_program("opencode", "opencode"), "run", "--auto", prompt, home=home)


async def continued(stage: Stage, home: Path, prompt: str) -> Ended:
    """Run Continue's `cn` with leave to use its tools."""
    (home / "config.yaml").write_text(_CONTINUE_CONFIG.format(url=stage.url), encoding="utf-8")
    return await run(node_program("continue", "cn"), "-p", "--auto", "--config", "config.yaml", prompt, home=home)


async def cline(stage: Stage, home: Path, prompt: str) -> Ended:
    """Run Cline, in whose sandbox no process stays behind."""
    program = node_program("cline", "cline")
    sandboxed = partial(run, program, home=home, CLINE_SANDBOX="1", CLINE_SANDBOX_DATA_DIR=str(home / "cline"))
    await sandboxed("auth", "-p", "openai", "-k", "any", "-m", "mom", "-b", stage.url)
    return await sandboxed("-P", "openai", "-m", "mom", prompt)


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
}
