"""What real clients send about an answer is understood, and is found to be about that answer."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from handlers.feedback_loop import FeedbackLoop
from handlers.lifecycle.snapshots import SNAPSHOTS
from synth.feedback.answer_record import PANEL
from tests.clients.agents import AGENTS
from tests.clients.aider_scenes import AFTER, BEFORE, NAME, SCENES
from tests.clients.stage import CRITIC, Scene, Stage, configured
from tests.clients.stage import PANEL as MODELS
from tests.clients.test_aider import Repository, edit, repository
from tests.fakes import FakeUpstream, answer, from_request, tool_call
from tests.running import running

pytestmark = pytest.mark.clients

__all__ = ["repository"]

_BROKEN = "def greet(name:\n    return 1\n"
_EDITS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "opencode": ("edit", {"filePath": "", "oldString": "Bye", "newString": "x"}, {"oldString": '"Hi "'}),
    "claude-code": ("Edit", {"file_path": "", "old_string": "Bye", "new_string": "x"}, {"old_string": '"Hi "'}),
    "cline": ("editor", {"path": "", "old_text": "Bye", "new_text": "x"}, {"old_text": '"Hi "'}),
}
"""The tool with which an agent edits, arguments that match nothing, and what makes them match."""

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
async def test_reflections_of_aider(
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
async def test_edits_of_agents(learning: tuple[Stage, FeedbackLoop], tmp_path: Path, name: str) -> None:
    """An edit that matches nothing is wrong, and one that applies is right: by ids or by arguments."""
    stage, feedback = learning
    file = tmp_path / NAME
    file.write_text(BEFORE, encoding="utf-8")
    tool, failing, matching = _EDITS[name]
    path = next(key for key, value in failing.items() if value == "")
    steps = [
        tool_call(tool, json.dumps({**failing, path: str(file)}), call_id="call_of_the_critic_1"),
        tool_call(_READERS[name], json.dumps({path: str(file)}), call_id="call_of_the_critic_2")
        if name in _READERS
        else None,
        tool_call(tool, json.dumps({**failing, **matching, path: str(file)}), call_id="call_of_the_critic_3"),
    ]
    calls = [step for step in steps if step is not None]

    def respond(body: Any) -> Any:
        n_results = sum(message.get("role") == "tool" for message in body["messages"])
        if not body.get("tools") or n_results >= len(calls):
            return "It is done as you have asked me to do."
        return answer("One step.", tool_calls=[calls[n_results]])

    for each in (*MODELS, CRITIC):
        stage.upstream.script(each, from_request(respond))
    await AGENTS[name].run(stage, tmp_path, f"Greet more politely in {NAME}.")
    found = await count(feedback)
    assert sum(n for (_, verdict), n in found.items() if verdict == "wrong") == 1
    assert sum(n for (_, verdict), n in found.items() if verdict == "right") == 1
