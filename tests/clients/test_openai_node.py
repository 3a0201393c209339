"""The OpenAI Node SDK works with a mixture as with OpenAI."""

from pathlib import Path

import pytest

from tests.clients import driving
from tests.clients.stage import CALL, NAMES, VERDICT, Scene, Stage
from tests.fakes import answer, drop_mid_stream, status

pytestmark = pytest.mark.clients


async def test_a_completion_has_the_critic_s_text(stage: Stage, tmp_path: Path) -> None:
    """The critic's text is the message."""
    stage.play(Scene(VERDICT))
    completion = await driving.openai_node(stage, "basic", tmp_path)
    assert completion["choices"][0]["message"]["content"] == VERDICT
    assert completion["usage"]["total_tokens"] == 11 + 7


async def test_the_deltas_of_a_stream_make_the_text(stage: Stage, tmp_path: Path) -> None:
    """The deltas make the text, and the usage comes last."""
    stage.play(Scene(VERDICT))
    *chunks, last = await driving.openai_node(stage, "stream", tmp_path)
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == VERDICT
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 11 + 7)


async def test_the_stream_helper_gives_the_same_completion(stage: Stage, tmp_path: Path) -> None:
    """The SDK's own accumulator puts the chunks together to the same completion."""
    stage.play(Scene(VERDICT))
    completion = await driving.openai_node(stage, "streamHelper", tmp_path)
    assert completion["choices"][0]["message"]["content"] == VERDICT


async def test_tools_are_run_until_there_is_an_answer(stage: Stage, tmp_path: Path) -> None:
    """The runner calls the tool, sends the result, and reads the answer."""
    stage.play(Scene("It is 5.", cue="call_of_critic"), Scene(answer(None, tool_calls=[CALL])))
    made = await driving.openai_node(stage, "runTools", tmp_path)
    assert made["answer"] == "It is 5."
    _, calling, result, _ = made["messages"]
    (call,) = calling["tool_calls"]
    assert call["id"] == CALL["id"]
    assert call["function"].items() >= CALL["function"].items()
    assert (result["role"], result["content"]) == ("tool", "5")
    assert len(stage.asked("a")) == 1


async def test_a_zod_schema_is_parsed(stage: Stage, tmp_path: Path) -> None:
    """The answer fits the schema, though the critic put a fence around it."""
    stage.play(Scene('```json\n{"steps": ["think"], "value": 42}\n```'))
    assert await driving.openai_node(stage, "parse", tmp_path) == {"steps": ["think"], "value": 42}


async def test_mixtures_are_listed_before_models(stage: Stage, tmp_path: Path) -> None:
    """The mixture comes first, then the models."""
    assert await driving.openai_node(stage, "models", tmp_path) == NAMES


async def test_an_unknown_model_throws_not_found(stage: Stage, tmp_path: Path) -> None:
    """The SDK throws the same error as for OpenAI's 404, with the gateway's message."""
    error = await driving.openai_node(stage, "unknownModel", tmp_path)
    assert (error["kind"], error["status"], error["code"]) == ("NotFoundError", 404, "model_not_found")
    assert f"available: {', '.join(NAMES)}" in error["message"]


async def test_an_outage_is_not_retried(stage: Stage, tmp_path: Path) -> None:
    """The gateway has retried already, and its header tells the SDK not to."""
    stage.upstream.default = status(500)
    error = await driving.openai_node(stage, "outage", tmp_path)
    assert (error["kind"], error["status"]) == ("InternalServerError", 502)
    assert "a: The fake upstream says 500." in error["message"]
    assert len(stage.asked()) == 1


async def test_a_stream_that_breaks_off_throws(stage: Stage, tmp_path: Path) -> None:
    """The SDK does not take half an answer for a complete one."""
    stage.play(Scene(drop_mid_stream(4, step=answer(VERDICT))))
    error = await driving.openai_node(stage, "brokenStream", tmp_path)
    assert "broke off" in error["message"]
