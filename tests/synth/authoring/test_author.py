"""Writing an answer by one author after the other."""

import json
from typing import Any

import pytest

from synth.authoring.author import Assignment, Written, write_answer
from synth.events import AuthorFailed, SynthesisError
from tests.fakes.completions import Completion, tool_call
from tests.synth.scripted_pool import Scene, scene
from upstream.errors import CallError, Kind

BROKEN = CallError(Kind.SERVER_ERROR, "overloaded")
JSON: dict[str, Any] = {"response_format": {"type": "json_object"}}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "required": ["n"]}}}


async def write(stage: Scene, *authors: str, held: bool = False, **assignment: Any) -> Written:
    task = Assignment(stage.run.request.messages, "critic", stage.run.contract, **assignment)
    return await write_answer(stage.run, task, authors, held=held)


async def test_the_next_author_is_asked_if_one_fails() -> None:
    """The failure is an event, and the answer names its author."""
    stage = scene({"a": BROKEN, "b": "fine"})
    written = await write(stage, "a", "b")
    assert (written.answer.author, written.answer.completion.text) == ("b", "fine")
    assert [event.call.name for event in stage.seen(AuthorFailed)] == ["a"]


async def test_without_any_author_left_every_cause_is_named() -> None:
    """In the order of the authors."""
    with pytest.raises(SynthesisError, match="a: overloaded; b: overloaded") as failed:
        await write(scene({"a": BROKEN, "b": BROKEN}), "a", "b")
    assert not failed.value.interrupted


async def test_a_draft_that_breaks_the_contract_is_revised_once() -> None:
    """Its author reads the draft and the finding; the revision is the answer."""
    stage = scene({"a": ["{broken", '{"n": 1}']}, params=JSON)
    assert (await write(stage, "a")).answer.completion.text == '{"n": 1}'
    again = stage.pool.asked("a")[1].messages
    assert again[-2] == {"role": "assistant", "content": "{broken"}
    assert "not JSON" in again[-1]["content"]


async def test_after_one_revision_the_next_author_is_asked() -> None:
    """If no author keeps the contract, the last broken draft is in the error."""
    stage = scene({"a": "{broken", "b": "{worse"}, params=JSON)
    with pytest.raises(SynthesisError) as failed:
        await write(stage, "a", "b")
    assert len(stage.pool.calls) == 4
    draft = failed.value.draft
    assert draft is not None
    assert (draft[0].text, draft[1]) == ("{worse", "b")


async def test_plain_text_is_streamed() -> None:
    """In the deltas of the upstream."""
    stage = scene({"a": "Some words."}, incremental=True)
    written = await write(stage, "a")
    assert stage.streamed == written.answer.completion.text == "Some words."


async def test_no_other_author_continues_a_text_that_has_begun() -> None:
    """The client has part of it, so the failure is final and marked as interrupted."""
    stage = scene({"a": BROKEN, "b": "fine"}, incremental=True, cut=8)
    with pytest.raises(SynthesisError) as failed:
        await write(stage, "a", "b")
    assert failed.value.interrupted
    assert stage.pool.asked("b") == []


async def test_code_that_was_sent_is_the_answer_though_it_breaks_its_form() -> None:
    """It cannot be revised any more; the finding is an event, and no other author is asked."""
    messages = [{"role": "user", "content": "Write f. Reply with only one code block."}]
    stage = scene({"a": "```python\ndef f(:\n```", "b": "fine"}, messages=messages, incremental=True)
    written = await write(stage, "a", "b")
    assert stage.streamed == written.answer.completion.text == "```python\ndef f(:\n```"
    assert [event.error.kind for event in stage.seen(AuthorFailed)] == [Kind.BROKEN_CONTRACT]
    assert len(stage.pool.calls) == 1


async def test_a_copy_of_the_candidates_that_was_sent_is_no_answer() -> None:
    """The stream ends with an error, because it shows the client the drafts."""
    stage = scene({"a": "BEGIN A n0nce", "b": "fine"}, incremental=True)
    with pytest.raises(SynthesisError, match="repeats the drafts") as failed:
        await write(stage, "a", "b", nonce="n0nce")
    assert failed.value.interrupted
    assert len(stage.pool.calls) == 1


async def test_json_is_held_until_it_is_valid() -> None:
    """Nothing of a broken draft goes out."""
    stage = scene({"a": ["{broken", '{"n": 1}']}, params=JSON, incremental=True)
    await write(stage, "a")
    assert json.loads(stage.streamed) == {"n": 1}


async def test_a_held_answer_emits_no_text() -> None:
    """It goes out after its review."""
    stage = scene({"a": "fine"}, incremental=True)
    await write(stage, "a", held=True)
    assert stage.streamed == ""


async def test_a_call_that_breaks_its_schema_is_written_again_after_the_text() -> None:
    """The text has gone out and stays; the call had been held, so it can be corrected."""
    bad = Completion(text="Adding.", tool_calls=[tool_call("add", "{}")])
    good = Completion(text=None, tool_calls=[tool_call("add", '{"n": 1}')])
    stage = scene({"a": [bad, good]}, params={"tools": [TOOL]}, incremental=True)
    completion = (await write(stage, "a")).answer.completion
    assert completion.text == stage.streamed == "Adding."
    assert completion.tool_calls[0]["function"]["arguments"] == '{"n": 1}'


async def test_an_answer_that_copies_the_fences_cannot_be_used() -> None:
    """Whatever the contract is."""
    stage = scene({"a": "BEGIN A n0nce", "b": "fine"})
    assert (await write(stage, "a", "b", nonce="n0nce")).answer.author == "b"
