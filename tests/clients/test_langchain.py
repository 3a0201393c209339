"""LangChain's ChatOpenAI over a mixture."""

from pathlib import Path

import pytest

from tests.clients import driving
from tests.clients.stage import CALL, VERDICT, Scene, Stage
from tests.fakes import answer, tool_call

pytestmark = pytest.mark.clients

ANSWER = '{"steps": ["think"], "value": 42}'
TAKEN = {"name": "add", "args": {"a": 2, "b": 3}, "id": "call_of_critic", "type": "tool_call"}


async def test_invoke_fills_langchain_s_own_fields(stage: Stage, tmp_path: Path) -> None:
    """Text, usage and finish reason arrive in LangChain's own fields."""
    stage.play(Scene(VERDICT))
    made = await driving.langchain(stage, "invoke", tmp_path)
    assert made["text"] == VERDICT
    assert made["usage"]["total_tokens"] == 11 + 7
    assert made["metadata"]["finish_reason"] == "stop"
    assert made["metadata"]["model_name"] == "mom"


async def test_the_pieces_of_a_stream_make_the_text(stage: Stage, tmp_path: Path) -> None:
    """The pieces make the text, and the usage is counted once."""
    stage.play(Scene(VERDICT))
    made = await driving.langchain(stage, "stream", tmp_path)
    assert "".join(made["texts"]) == VERDICT
    assert len(list(filter(None, made["texts"]))) > 1
    assert made["usage"] == 11 + 7


async def test_bound_tools_are_called(stage: Stage, tmp_path: Path) -> None:
    """A tool is called, its result sent, the answer read."""
    stage.play(Scene("It is 5.", cue="call_of_critic"), Scene(answer(None, tool_calls=[CALL])))
    assert await driving.langchain(stage, "tools", tmp_path) == {"calls": [TAKEN], "answer": "It is 5."}


async def test_bound_tools_in_a_stream(stage: Stage, tmp_path: Path) -> None:
    """The deltas of a call add up to the call."""
    stage.play(Scene(answer(None, tool_calls=[CALL])))
    assert await driving.langchain(stage, "tools_stream", tmp_path) == [TAKEN]


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
async def test_each_way_to_structured_output_works(stage: Stage, tmp_path: Path, method: str) -> None:
    """Each of LangChain's three ways to a pydantic object works."""
    call = tool_call("Answer", ANSWER)
    stage.play(Scene(answer(None, tool_calls=[call]) if method == "function_calling" else ANSWER))
    assert await driving.langchain(stage, method, tmp_path) == {"steps": ["think"], "value": 42}
