"""The `llm` command over a mixture."""

import json
from pathlib import Path

import pytest

from tests.clients.driving import llm
from tests.clients.stage import CALL, VERDICT, Scene, Stage
from tests.fakes import answer, drop_mid_stream

pytestmark = pytest.mark.clients


@pytest.mark.parametrize("options", [[], ["--no-stream"]])
async def test_a_question_is_answered(stage: Stage, tmp_path: Path, options: list[str]) -> None:
    """The answer is printed, and its usage logged, in a stream and in JSON."""
    stage.play(Scene(VERDICT))
    ended = await llm(stage, tmp_path, *options, "--usage", "--system", "Be brief.", "What is the answer?")
    assert ended.stdout == VERDICT + "\n"
    assert "11 input, 7 output" in ended.stderr
    assert [message["role"] for message in stage.asked("a")[0]["messages"]] == ["system", "user"]


async def test_a_conversation_continues(stage: Stage, tmp_path: Path) -> None:
    """Earlier turns are sent again, byte for byte."""
    stage.play(Scene(VERDICT))
    await llm(stage, tmp_path, "What is the answer?")
    await llm(stage, tmp_path, "--continue", "Why?")
    assert stage.asked("a")[1]["messages"][1] == {"role": "assistant", "content": VERDICT}


async def test_the_answer_fits_the_schema(stage: Stage, tmp_path: Path) -> None:
    """The JSON that comes fits the schema that was asked for."""
    stage.play(Scene('```json\n{"name": "Ada", "age": 36}\n```'))
    ended = await llm(stage, tmp_path, "--schema", "name, age int", "Invent a person")
    assert json.loads(ended.stdout) == {"name": "Ada", "age": 36}


async def test_a_tool_is_called_and_its_result_read(stage: Stage, tmp_path: Path) -> None:
    """A function of the user's own is called with the critic's arguments, and its result read."""
    stage.play(Scene("It is 5.", cue="call_of_critic"), Scene(answer(None, tool_calls=[CALL])))
    function = "def add(a: int, b: int) -> int:\n    'Add two numbers'\n    return a + b\n"
    ended = await llm(stage, tmp_path, "--functions", function, "What is 2 + 3?")
    assert ended.stdout.endswith("It is 5.\n")
    assert stage.asked()[-1]["messages"][-1]["content"] == "5"


async def test_a_stream_that_breaks_off_is_an_error(stage: Stage, tmp_path: Path) -> None:
    """The exit status and a message say that the answer is incomplete."""
    stage.play(Scene(drop_mid_stream(4, step=answer(VERDICT))))
    ended = await llm(stage, tmp_path, "What is the answer?")
    assert ended.code != 0
    assert "broke off" in ended.stderr
