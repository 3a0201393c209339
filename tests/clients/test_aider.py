"""aider edits a file and commits. Its exit status says nothing: the file, the commits and their subjects do."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.clients.aider_scenes import AFTER, ASKED, BEFORE, NAME, SCENES, SUBJECT
from tests.clients.driving import aider
from tests.clients.processes import Ended, program, run
from tests.clients.stage import CRITIC, PANEL, Stage
from tests.fakes import answer, drop_mid_stream, from_request, status

pytestmark = pytest.mark.clients

FORMS = {"diff": ["--edit-format", "diff"], "whole": ["--edit-format", "whole"], "architect": ["--architect"]}


class Repository:
    """A git repository with one file and one commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / NAME

    async def begin(self) -> None:
        self.file.write_text(BEFORE, encoding="utf-8")
        await self.git("init", "--quiet")
        await self.git("config", "user.name", "Dev")
        await self.git("config", "user.email", "dev@example.com")
        await self.git("add", NAME)
        await self.git("commit", "--quiet", "--message", "start")

    async def git(self, *arguments: str) -> str:
        ended = await run("git", *arguments, home=self.folder)
        assert ended.code == 0, ended.stderr
        return ended.stdout

    async def subjects(self) -> Sequence[str]:
        """Return the commits' subjects, newest first."""
        return (await self.git("log", "--format=%s")).splitlines()


@pytest.fixture
async def repository(tmp_path: Path) -> Repository:
    program("aider")
    repository = Repository(tmp_path)
    await repository.begin()
    return repository


async def edit(stage: Stage, repository: Repository, *options: str) -> Ended:
    return await aider(stage, repository.folder, *options, "--message", ASKED, NAME)


def shown(ended: Ended) -> str:
    """Return what was printed, its lines joined: aider wraps them where words end."""
    return " ".join(ended.stdout.split())


@pytest.mark.parametrize("streaming", ["--no-stream", "--stream"])
@pytest.mark.parametrize("form", FORMS)
async def test_an_edit_is_made_and_committed(stage: Stage, repository: Repository, form: str, streaming: str) -> None:
    """The critic's edit arrives byte for byte in every form, and its commit message becomes the subject."""
    stage.play(*SCENES[form])
    ended = await edit(stage, repository, streaming, *FORMS[form])
    assert repository.file.read_bytes() == AFTER.encode(), ended.stdout
    assert await repository.subjects() == [SUBJECT, "start"]
    assert await repository.git("status", "--porcelain", NAME) == ""
    assert len(stage.asked()) == len(SCENES[form]) + 1  # a choice among edits is asked for in two orders


async def test_a_single_model_may_write_the_commit_message(stage: Stage, repository: Repository) -> None:
    """A request that needs no panel can name a single model."""
    stage.play(*SCENES["whole"])
    await edit(stage, repository, "--no-stream", "--weak-model", "lm_studio/b", *FORMS["whole"])
    assert repository.file.read_bytes() == AFTER.encode()
    assert await repository.subjects() == [SCENES["whole"][0].drafts[1], "start"]
    assert [len(stage.asked(name)) for name in ("a", "b", "critic")] == [1, 2, 2]


async def test_openai_s_names_lead_to_the_gateway(stage: Stage, repository: Repository) -> None:
    """With OPENAI_API_BASE, aider's editor and weak model are aliases: the mixture, and a single model.

    aider knows gpt-4.1, and lets it edit by search and replace.
    """
    commit, _, plan = SCENES["architect"]
    stage.play(commit, replace(SCENES["diff"][1], cue="SEARCH/REPLACE"), plan)
    models = ("--editor-model", "gpt-4.1", "--weak-model", "gpt-4.1-mini", "--message", ASKED, NAME)
    ended = await aider(stage, repository.folder, "--no-stream", "--architect", *models)
    assert repository.file.read_bytes() == AFTER.encode(), ended.stdout
    assert await repository.subjects() == [commit.drafts[1], "start"]
    assert [len(stage.asked(name)) for name in ("a", "b", "c")] == [2, 3, 2]


async def test_a_stream_that_breaks_off_is_asked_for_again(stage: Stage, repository: Repository) -> None:
    """The agent takes the error event for what it is: nothing of the half answer is applied, the next one is.

    Of a single model, whose words pass as they come; a mixture checks edits as a whole before any of them goes out.
    """
    verdict = str(SCENES["whole"][-1].verdict)
    stage.upstream.script(CRITIC, drop_mid_stream(12, step=answer(verdict)), answer(verdict), answer(SUBJECT))
    ended = await edit(stage, repository, "--stream", "--model", f"lm_studio/{CRITIC}", *FORMS["whole"])
    assert repository.file.read_bytes() == AFTER.encode(), ended.stdout
    assert await repository.subjects() == [SUBJECT, "start"]


async def test_a_refusal_is_shown_and_not_repeated(stage: Stage, repository: Repository) -> None:
    """If every model refuses, the user sees the refusal, and aider asks once."""
    stage.upstream.default = status(400, body={"error": {"message": "No such knob: temperature."}})
    ended = await edit(stage, repository, "--no-stream")
    assert "no model could answer" in shown(ended)
    assert "No such knob: temperature." in shown(ended)
    assert len(stage.asked()) == 1
    assert repository.file.read_text(encoding="utf-8") == BEFORE
    assert await repository.subjects() == ["start"]


async def test_an_outage_is_shown_and_the_number_of_requests_is_bounded(stage: Stage, repository: Repository) -> None:
    """Only the agent itself retries: the gateway's headers keep its SDK from doing so."""
    stage.upstream.default = status(500)
    ended = await edit(stage, repository, "--no-stream")
    assert "no model could answer" in shown(ended)
    assert "The fake upstream says 500." in shown(ended)
    assert len(stage.asked()) <= 9
    assert await repository.subjects() == ["start"]


async def test_a_reasoning_model_stays_on_the_panel(stage: Stage, tmp_path: Path) -> None:
    """Aider sends `temperature: 0`, which reasoning models refuse; such a member answers without it, and is kept."""
    message = "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is supported."
    body = {"error": {"message": message, "param": "temperature", "code": "unsupported_value"}}
    for name in (*PANEL, CRITIC):
        stage.upstream.script(name, answer(f"{name} answers."))
    refusal, said = status(400, body=body), answer(f"{PANEL[0]} answers.")
    stage.upstream.script(PANEL[0], from_request(lambda asked: refusal if "temperature" in asked else said))
    options = ("--no-stream", "--chat-mode", "ask", "--no-git", "--message", "Why?")
    ended = await aider(stage, tmp_path, *options)
    assert f"{CRITIC} answers." in ended.stdout
    first, second = stage.asked(PANEL[0])
    assert first["temperature"] == 0
    assert "temperature" not in second
    prompt = str(stage.asked()[-1]["messages"][-1]["content"])
    assert all(f"{name} answers." in prompt for name in PANEL)
