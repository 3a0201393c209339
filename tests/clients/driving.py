"""How a test drives each client; those that are libraries run one case of a program in drivers/."""

import shutil
from pathlib import Path
from typing import Any

from tests.clients.aider_forks import AiderForks
from tests.clients.processes import Ended, folder_of, program, run
from tests.clients.stage import Stage

AIDER = AiderForks()
_DRIVERS = Path(__file__).parent / "drivers"
_UNATTENDED = ("--yes-always", "--no-gitignore", "--no-check-update", "--analytics-disable", "--no-show-model-warnings")
_LLM_MODELS = """\
- model_id: mom
  model_name: mom
  api_base: {url}
  supports_schema: true
  supports_tools: true
"""


async def openai_python(stage: Stage, case: str, home: Path) -> Any:
    """Return what a case of drivers/openai_python.py prints."""
    return (await run(program("openai-python"), _DRIVERS / "openai_python.py", stage.url, case, home=home)).json


async def openai_node(stage: Stage, case: str, home: Path) -> Any:
    """Return what a case of drivers/openai_node.mjs prints; node looks for imports beside the script."""
    (home / "node_modules").symlink_to(folder_of("openai-node") / "node_modules")
    script = shutil.copy(_DRIVERS / "openai_node.mjs", home)
    return (await run("node", script, stage.url, case, home=home)).json


async def langchain(stage: Stage, case: str, home: Path) -> Any:
    """Return what a case of drivers/langchain_chat.py prints."""
    driver = _DRIVERS / "langchain_chat.py"
    return (await run(program("langchain"), driver, stage.url, case, home=home, LANGSMITH_TRACING="false")).json


async def llm(stage: Stage, home: Path, *arguments: str) -> Ended:
    """Run the `llm` command with the model `mom`."""
    (home / "extra-openai-models.yaml").write_text(_LLM_MODELS.format(url=stage.url), encoding="utf-8")
    return await run(program("llm", "llm"), "-m", "mom", *arguments, home=home, LLM_USER_PATH=str(home))


async def aider(stage: Stage, repository: Path, *options: str) -> Ended:
    """Run aider in a repository, without a user."""
    return await AIDER.run(
        *("--model", "lm_studio/mom", *options, *_UNATTENDED),
        home=repository,
        LM_STUDIO_API_BASE=stage.url,
        LM_STUDIO_API_KEY="123",
        OPENAI_API_BASE=stage.url,
        OPENAI_API_KEY="123",
    )
