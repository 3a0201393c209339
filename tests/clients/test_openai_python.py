"""The OpenAI Python SDK works with a mixture as with OpenAI."""

from pathlib import Path
from typing import Any

import pytest

from tests.clients import driving
from tests.clients.stage import CALL, NAMES, PANEL, VERDICT, Scene, Stage
from tests.fakes import answer, drop_mid_stream, status

pytestmark = pytest.mark.clients


async def test_a_completion_has_the_critic_s_text(stage: Stage, tmp_path: Path) -> None:
    """The critic's text is the message, and usage has the numbers of the SDK's model."""
    stage.play(Scene(VERDICT))
    completion = await driving.openai_python(stage, "basic", tmp_path)
    assert completion["choices"][0]["message"]["content"] == VERDICT
    assert completion["choices"][0]["finish_reason"] == "stop"
    assert completion["usage"]["total_tokens"] == 11 + 7
    assert completion["usage"]["mom"]["calls"] == 4


async def test_a_request_steers_its_mixture(stage: Stage, tmp_path: Path) -> None:
    """`extra_body` carries the field, and the SDK's objects have what it asks for, as JSON and at a stream's end."""
    stage.play(Scene("A"))
    made = await driving.openai_python(stage, "steered", tmp_path)
    for report in (made["whole"], made["streamed"]):
        assert [candidate["name"] for candidate in report["candidates"]] == ["a", "b"]
        assert report["verdict"]["mode"] == "select"
    assert made["message"] in [candidate["text"] for candidate in made["whole"]["candidates"]]
    assert stage.asked("c") == []
    assert all("mom" not in request.body for request in stage.upstream.requests)


async def test_a_mistake_in_steering_names_its_path(stage: Stage, tmp_path: Path) -> None:
    """The SDK's error has the path and the suggestion, and no model is asked."""
    stage.play(Scene(VERDICT))
    error = await driving.openai_python(stage, "mistaken", tmp_path)
    assert (error["kind"], error["param"]) == ("BadRequestError", "mom.modus")
    assert "did you mean mode?" in error["message"]
    assert stage.upstream.requests == []


async def test_asynchronous_requests_run_side_by_side(stage: Stage, tmp_path: Path) -> None:
    """Three requests at a time, three answers."""
    stage.play(Scene(VERDICT))
    assert await driving.openai_python(stage, "asynchronous", tmp_path) == [VERDICT] * 3


async def test_the_pieces_of_an_asynchronous_stream_make_the_text(stage: Stage, tmp_path: Path) -> None:
    """The pieces of an asynchronous stream make the text."""
    stage.play(Scene(VERDICT))
    assert await driving.openai_python(stage, "asynchronous_stream", tmp_path) == VERDICT


async def test_all_chunks_of_a_stream_belong_to_one_completion(stage: Stage, tmp_path: Path) -> None:
    """Every chunk is the same completion's, the first has the role, the last the finish reason."""
    stage.play(Scene(VERDICT))
    chunks = await driving.openai_python(stage, "stream", tmp_path)
    assert "".join(chunk["choices"][0]["delta"]["content"] or "" for chunk in chunks) == VERDICT
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert len(chunks) > 3


async def test_usage_is_in_the_last_chunk_of_a_stream(stage: Stage, tmp_path: Path) -> None:
    """The last chunk has no choices and the usage."""
    stage.play(Scene(VERDICT))
    *chunks, last = await driving.openai_python(stage, "stream_with_usage", tmp_path)
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 11 + 7
    assert last["usage"]["mom"]["calls"] == 4
    assert all(chunk["usage"] is None for chunk in chunks)


async def test_the_stream_helper_gives_the_same_completion(stage: Stage, tmp_path: Path) -> None:
    """The SDK's own accumulator puts the chunks together to the same completion."""
    stage.play(Scene(VERDICT))
    made = await driving.openai_python(stage, "stream_accumulated", tmp_path)
    assert made["completion"]["choices"][0]["message"]["content"] == VERDICT
    assert set(made["kinds"]) >= {"chunk", "content.delta", "content.done"}


@pytest.mark.parametrize("case", ["parse", "parse_stream"])
async def test_a_pydantic_model_is_filled(stage: Stage, tmp_path: Path, case: str) -> None:
    """The critic's fence is taken off, and the panel is held to the schema."""
    drafts = tuple(f'{{"steps": ["{name}"], "value": 41}}' for name in "abc")
    stage.play(Scene('```json\n{"steps": ["think"], "value": 42}\n```', (drafts[0], drafts[1], drafts[2])))
    assert await driving.openai_python(stage, case, tmp_path) == {"steps": ["think"], "value": 42}
    for name in PANEL:
        assert stage.asked(name)[0]["response_format"]["json_schema"]["name"] == "Answer"


async def test_a_tool_is_called_and_its_result_read(stage: Stage, tmp_path: Path) -> None:
    """Id and arguments pass byte for byte; the turn with the result goes to the critic alone."""
    stage.play(Scene("It is 5.", cue="call_of_critic"), Scene(answer(None, tool_calls=[CALL])))
    made = await driving.openai_python(stage, "tools", tmp_path)
    assert made == {"finish_reason": "tool_calls", "calls": [CALL], "answer": "It is 5."}
    assert len(stage.asked("a")) == 1
    assert "tools" not in stage.asked("a")[0]
    first, second = stage.asked()
    assert first["tools"][0]["function"]["name"] == "add"
    assert second["messages"][-1] == {"role": "tool", "tool_call_id": "call_of_critic", "content": "5"}


async def test_a_tool_is_called_in_a_stream(stage: Stage, tmp_path: Path) -> None:
    """The deltas of a call add up to the same call."""
    stage.play(Scene(answer(None, tool_calls=[CALL])))
    made = await driving.openai_python(stage, "tools_stream", tmp_path)
    assert made["finish_reason"] == "tool_calls"
    assert [{name: call[name] for name in CALL} | {"function": function(call)} for call in made["calls"]] == [CALL]


def function(call: Any) -> Any:
    return {name: call["function"][name] for name in ("name", "arguments")}


async def test_a_pydantic_model_is_filled_beside_tools(stage: Stage, tmp_path: Path) -> None:
    """An answer without a call keeps to the schema, though tools were offered as well."""
    stage.play(Scene('```json\n{"steps": ["think"], "value": 42}\n```'))
    made = await driving.openai_python(stage, "parse_beside_tools", tmp_path)
    assert made == {"steps": ["think"], "value": 42}


async def test_allowed_tools_need_not_be_called(stage: Stage, tmp_path: Path) -> None:
    """`allowed_tools` in the mode `auto` narrows the choice, and leaves the model free to answer in words."""
    stage.play(Scene(VERDICT))
    assert await driving.openai_python(stage, "allowed_tools", tmp_path) == VERDICT


async def test_n_gives_several_choices(stage: Stage, tmp_path: Path) -> None:
    """`n` syntheses of one run of the panel."""
    stage.play(Scene(VERDICT))
    assert await driving.openai_python(stage, "choices", tmp_path) == [[0, VERDICT], [1, VERDICT]]
    assert [len(stage.asked(name)) for name in ("a", "b", "c", "critic")] == [1, 1, 1, 2]
    assert all("n" not in request.body or request.body["n"] == 1 for request in stage.upstream.requests)


async def test_an_image_reaches_the_panel(stage: Stage, tmp_path: Path) -> None:
    """Its parts arrive as they were sent."""
    stage.play(Scene("A picture."))
    assert await driving.openai_python(stage, "image", tmp_path) == "A picture."
    parts = stage.asked("a")[0]["messages"][0]["content"]
    assert parts[1]["image_url"] == {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}
    assert stage.asked()[0]["messages"][0]["content"][:2] == parts


async def test_headers_identify_the_request_and_its_panel(stage: Stage, tmp_path: Path) -> None:
    """They have the request's id and the panel's outcomes."""
    stage.play(Scene(VERDICT))
    made = await driving.openai_python(stage, "raw", tmp_path)
    assert made["content"] == VERDICT
    assert made["headers"]["x-request-id"] == made["request_id"] == "req-of-mine"
    assert made["headers"]["x-mom-candidates"] == "3/3"
    assert made["headers"]["x-mom-mode"] == "fuse"


async def test_mixtures_are_listed_before_models(stage: Stage, tmp_path: Path) -> None:
    """The mixture comes first, then the models; each can be retrieved."""
    made = await driving.openai_python(stage, "models", tmp_path)
    assert made["listed"] == NAMES
    assert made["mom"]["panel"] == ["a", "b", "c"]


async def test_a_model_answers_by_its_own_name(stage: Stage, tmp_path: Path) -> None:
    """A configured model answers without panel and critic."""
    stage.play(Scene(VERDICT))
    assert await driving.openai_python(stage, "one_model", tmp_path) == {"model": "b", "content": "Second draft."}
    assert len(stage.upstream.requests) == 1


async def test_an_unknown_model_raises_not_found(stage: Stage, tmp_path: Path) -> None:
    """The SDK raises the same exception as for OpenAI's 404, with the gateway's message."""
    error = await driving.openai_python(stage, "unknown_model", tmp_path)
    assert error["kind"] == "NotFoundError"
    assert (error["code"], error["param"], error["type"]) == ("model_not_found", "model", "invalid_request_error")
    assert f"available: {', '.join(NAMES)}" in error["message"]
    assert error["request_id"].startswith("req-")


async def test_an_outage_is_not_retried(stage: Stage, tmp_path: Path) -> None:
    """The gateway has retried already, and its header tells the SDK not to."""
    stage.upstream.default = status(500)
    error = await driving.openai_python(stage, "outage", tmp_path)
    assert (error["kind"], error["code"]) == ("InternalServerError", "upstream_error")
    assert "a: The fake upstream says 500." in error["message"]
    assert len(stage.asked()) == 1


async def test_a_stream_that_breaks_off_raises(stage: Stage, tmp_path: Path) -> None:
    """The received part is there, and the error says that it is incomplete."""
    stage.play(Scene(drop_mid_stream(4, step=answer(VERDICT))))
    error = await driving.openai_python(stage, "broken_stream", tmp_path)
    assert error["kind"] == "APIError"
    assert "broke off" in error["message"]
    assert VERDICT.startswith(error["said"])
    assert error["said"]
