"""Answering with one model that was asked for by its own name."""

import pytest

from synth.authoring.single_model import ask_single_model
from synth.events import DecidedBy, SynthesisError
from tests.synth.scripted_pool import scene
from upstream.errors import CallError, Kind


@pytest.mark.parametrize("incremental", [False, True])
async def test_the_answer_is_the_model_s_own(incremental: bool) -> None:
    """No contract is checked, whatever the request asks for."""
    stage = scene({"a": "{broken"}, incremental=incremental, params={"response_format": {"type": "json_object"}})
    answer = await ask_single_model(stage.run, "a", 0)
    assert (answer.completion.text, answer.decided_by) == ("{broken", DecidedBy.MODEL)
    assert stage.streamed == ("{broken" if incremental else "")


@pytest.mark.parametrize("cut", [0, 8])
async def test_a_failure_says_whether_text_was_sent(cut: int) -> None:
    """The client can retry only an answer that has not begun."""
    stage = scene({"a": CallError(Kind.CONNECT, "gone")}, incremental=True, cut=cut)
    with pytest.raises(SynthesisError, match="a: gone") as failed:
        await ask_single_model(stage.run, "a", 0)
    assert failed.value.interrupted is bool(cut)
