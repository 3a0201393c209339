"""The reports of real clients are read as verdicts, and matched with the answer that they are about."""

import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from handlers.feedback_loop import FeedbackLoop
from handlers.lifecycle.snapshots import SNAPSHOTS
from synth.feedback.answer_record import PANEL
from tests.clients.agents import AGENTS, codex_resumed
from tests.clients.aider_scenes import AFTER, BEFORE, NAME, SCENES
from tests.clients.stage import CRITIC, Scene, Stage, configured
from tests.clients.stage import PANEL as MODELS
from tests.clients.test_aider import Repository, edit, repository
from tests.fakes import FakeUpstream, answer, from_request, tool_call
from tests.running import running

pytestmark = pytest.mark.clients

__all__ = ["repository"]

_BROKEN = "def greet(name:\n    return 1\n"


def _patch(file: Path, old: str) -> dict[str, str]:
    """Return a command of Codex, whose patches replace whole lines: those of the file with `old`, or `old` itself."""
    line = next((line for line in BEFORE.split("\n") if old in line), old)
    patch = f"*** Begin Patch\n*** Update File: {file.name}\n@@\n-{line}\n+    return 1\n*** End Patch"
    return {"cmd": f"apply_patch <<'EOF'\n{patch}\nEOF"}


_EDITS: dict[str, tuple[str, Callable[[Path, str], dict[str, str]]]] = {
    "opencode": ("edit", lambda file, old: {"filePath": str(file), "oldString": old, "newString": "x"}),
    "claude-code": ("Edit", lambda file, old: {"file_path": str(file), "old_string": old, "new_string": "x"}),
    "cline": ("editor", lambda file, old: {"path": str(file), "old_text": old, "new_text": "x"}),
    "codex": ("exec_command", _patch),
}
"""The tool with which an agent edits, and its arguments to replace a text in a file."""

_READERS = {"opencode": "read", "claude-code": "Read"}
"""Agents that edit a file only after they have read it, and their tool for that."""


@pytest.fixture
async def learning(upstream: FakeUpstream) -> AsyncGenerator[tuple[Stage, FeedbackLoop]]:
    async with running(configured(upstream)) as gateway:
        assert gateway.app is not None
        feedback = gateway.app[SNAPSHOTS].current.feedback
        assert feedback is not None
        yield Stage(f"{gateway.url}/v1", upstream), feedback


async def count(feedback: FeedbackLoop) -> dict[tuple[str, str], int]:
    """Return how many answers of the panel were right and wrong, by kind of task."""
    await feedback.write()
    found = [each for each in await feedback.read_counts() if each.member == PANEL and each.name in ("right", "wrong")]
    return {(each.scope.removeprefix("mom "), each.name): round(each.weight) for each in found if round(each.weight)}


@pytest.mark.parametrize(
    ("after", "options"),
    [
        (_BROKEN, ["--auto-lint"]),
        (AFTER, ["--auto-test", "--test-cmd", "false"]),
        (None, []),
    ],
    ids=["lint", "test", "failed block"],
)
async def test_a_report_of_aider_is_a_verdict_on_the_edit(
    learning: tuple[Stage, FeedbackLoop], repository: Repository, after: str | None, options: list[str]
) -> None:
    """A linter, a test command and a block that does not match: each is a verdict on the edit before it."""
    stage, feedback = learning
    searched = BEFORE if after is not None else "no such line\n"
    change = f"<<<<<<< SEARCH\n{searched}=======\n{after or AFTER}>>>>>>> REPLACE"
    blocks = f"Here is the change.\n\n{NAME}\n```python\n{change}\n```\n"
    stage.play(SCENES["diff"][0], Scene(blocks, (blocks, blocks, blocks)))
    await edit(stage, repository, "--no-stream", "--edit-format", "diff", *options)
    found = await count(feedback)
    assert found["edits python chat", "wrong"] >= 1
    assert ("edits python chat", "right") not in found


@pytest.mark.parametrize("name", _EDITS)
async def test_an_agent_s_edit_gets_a_verdict(learning: tuple[Stage, FeedbackLoop], tmp_path: Path, name: str) -> None:
    """An edit that matches nothing is wrong, and one that applies is right: by ids or by arguments."""
    stage, feedback = learning
    file = tmp_path / NAME
    file.write_text(BEFORE, encoding="utf-8")
    tool, arguments = _EDITS[name]
    steps = [tool_call(tool, json.dumps(arguments(file, "Bye")), call_id="call_of_the_critic_1")]
    if name in _READERS:
        seen = {"filePath" if name == "opencode" else "file_path": str(file)}
        steps.append(tool_call(_READERS[name], json.dumps(seen), call_id="call_of_the_critic_2"))
    steps.append(tool_call(tool, json.dumps(arguments(file, '"Hi "')), call_id="call_of_the_critic_3"))

    def respond(body: Any) -> Any:
        n_results = sum(message.get("role") == "tool" for message in body["messages"])
        if not body.get("tools") or n_results >= len(steps):
            return "It is done as you have asked me to do."
        return answer("One step.", tool_calls=[steps[n_results]])

    for each in (*MODELS, CRITIC):
        stage.upstream.script(each, from_request(respond))
    await AGENTS[name].run(stage, tmp_path, f"Greet more politely in {NAME}.")
    found = await count(feedback)
    assert sum(n for (_, verdict), n in found.items() if verdict == "wrong") == 1
    assert sum(n for (_, verdict), n in found.items() if verdict == "right") == 1


@pytest.mark.parametrize(
    ("words", "verdict"), [("That works now, thanks!", "right"), ("That is still wrong.", "wrong")]
)
async def test_the_first_words_of_a_resumed_codex_session_are_a_verdict(
    learning: tuple[Stage, FeedbackLoop], tmp_path: Path, words: str, verdict: str
) -> None:
    """The first words of a resumed session accept or reject the answer before."""
    stage, feedback = learning
    stage.play(Scene("It is done as you have asked me to do."))
    await AGENTS["codex"].run(stage, tmp_path, "Greet more politely.")
    assert await count(feedback) == {}
    await codex_resumed(stage, tmp_path, words)
    assert [each for (_, each), n in (await count(feedback)).items() for _ in range(n)] == [verdict]
