"""The text of an answer on its way to a client that streams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.authoring.client_stream import ClientStream, split_text
from synth.events import ReasoningDelta, TextDelta
from synth.normalize import Completion as Answer
from tests.fakes.completions import Completion
from tests.synth.scripted_pool import Scene, scene
from upstream.errors import CallError, Kind


async def forward(stage: Scene) -> ClientStream:
    stream = ClientStream(stage.run, 0)
    call = stage.run.call("a", "critic", stage.run.request.messages, params={})
    await stream.forward(call)
    return stream


async def test_a_stream_s_text_is_the_upstream_s() -> None:
    """Delta by delta; the thought before it is reasoning."""
    stage = scene({"a": "<think>Hm.</think>Some words."}, incremental=True)
    stream = await forward(stage)
    assert stream.text == stage.streamed == "Some words."
    assert "".join(event.text for event in stage.seen(ReasoningDelta)) == "Hm."


async def test_leading_white_space_waits_for_the_first_word() -> None:
    """An answer of white space alone emits nothing, so another author may still be asked."""
    blank = scene({"a": "\n\n  \n"}, incremental=True)
    assert not (await forward(blank)).has_begun
    assert blank.seen(TextDelta) == []
    stage = scene({"a": "\n\n  word"}, incremental=True)
    assert (await forward(stage)).text == "\n\n  word"


async def test_a_stream_that_breaks_off_stays_open() -> None:
    """The sent text belongs to an author who has not finished."""
    stage = scene({"a": CallError(Kind.CONNECT, "gone")}, incremental=True, cut=8)
    stream = ClientStream(stage.run, 0)
    with pytest.raises(CallError):
        await stream.forward(stage.run.call("a", "critic", (), params={}))
    assert (stream.is_open, stream.text) == (True, "x" * 8)


@pytest.mark.parametrize("with_reasoning", [True, False])
async def test_a_complete_answer_is_emitted_in_deltas(with_reasoning: bool) -> None:
    """With its reasoning first, unless that was sent already."""
    stage = scene({"a": Completion(text="unused")}, incremental=True)
    text = "word " * 100
    await ClientStream(stage.run, 0).emit_completion(Answer(text, "thought"), with_reasoning=with_reasoning)
    assert stage.streamed == text
    assert len(stage.seen(TextDelta)) > 1
    assert [event.text for event in stage.seen(ReasoningDelta)] == (["thought"] if with_reasoning else [])


async def test_a_client_that_does_not_stream_gets_no_deltas() -> None:
    """It receives the answer as a whole."""
    stage = scene({"a": "unused"})
    await ClientStream(stage.run, 0).emit_completion(Answer("text"))
    assert stage.events == []


@given(st.text(max_size=300), st.integers(1, 60))
def test_the_parts_of_a_text_are_the_text(text: str, size: int) -> None:
    """Each at most as long as asked for."""
    parts = list(split_text(text, size))
    assert "".join(parts) == text
    assert all(0 < len(part) <= size for part in parts)
