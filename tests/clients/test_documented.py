"""The examples of docs/clients.md work: they are run as they stand, except for the port."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.processes import Ended, folder_of, program, run
from tests.clients.stage import CRITIC, PANEL, Stage
from tests.clients.terminal import shell
from tests.recordings import obliging

pytestmark = pytest.mark.clients

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
EXAMPLE = re.compile(r"^```(sh|python|js)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CLIENTS = {
    "curl": None,
    "httpie": "httpie",
    "aider": "aider",
    "OpenAI Python SDK": "openai-python",
    "OpenAI Node SDK": "openai-node",
    "llm": "llm",
    "LangChain": "langchain",
    "opencode": "opencode",
    "Continue": "continue",
    "Cline": "cline",
    "Claude Code": "claude-code",
    "Codex": "codex",
    "Anthropic Python SDK": "anthropic-python",
    "OpenAI Agents SDK": "agents-sdk",
}


@dataclass(frozen=True, slots=True)
class Example:
    """One fenced block of the page."""

    section: str
    language: str
    text: str


def examples() -> Iterator[Example]:
    _, *parts = SECTION.split(PAGE.read_text(encoding="utf-8"))
    for section, text in zip(parts[::2], parts[1::2], strict=True):
        for language, code in EXAMPLE.findall(text):
            yield Example(section, language, code)


EXAMPLES = list(examples())


async def ran(example: Example, text: str, home: Path) -> Ended:
    client = CLIENTS[example.section]
    if example.language == "sh":
        return await shell(text, client=client, home=home)
    assert client is not None
    script = home / f"example.{'mjs' if example.language == 'js' else 'py'}"
    script.write_text(text, encoding="utf-8")
    if example.language == "python":
        return await run(program(client), script, home=home)
    (home / "node_modules").symlink_to(folder_of(client) / "node_modules")
    return await run("node", script, home=home)


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{e.section} {e.language}" for e in EXAMPLES])
async def test_an_example_works(stage: Stage, tmp_path: Path, example: Example) -> None:
    """It exits with 0, prints something, and has sent a request to the gateway."""
    for name in (*PANEL, CRITIC):
        stage.upstream.script(name, obliging(f"This is the answer of {name}."))
    port = stage.url.removesuffix("/v1").rpartition(":")[2]
    assert ":8000" in example.text
    ended = await ran(example, example.text.replace(":8000", f":{port}"), tmp_path)
    assert ended.code == 0, ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "no model" not in ended.stdout
    assert stage.upstream.requests or '"mom"' in ended.stdout


def test_every_client_has_its_examples() -> None:
    """The page has a section for each client, and each section an example."""
    assert {example.section for example in EXAMPLES} == set(CLIENTS)
