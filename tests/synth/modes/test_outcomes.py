"""The ways in which an answer comes about."""

import pytest

from config.settings import Critic, Verify
from synth.events import DecidedBy, SynthesisError
from synth.modes.outcomes import ask_critic, ask_critic_alone, use_candidate
from tests.synth.modes.cases import case
from tests.synth.scripted_pool import model, scene
from upstream.errors import CallError, Kind

BROKEN = CallError(Kind.SERVER_ERROR, "overloaded")
TOO_LONG = CallError(Kind.CONTEXT_LENGTH, "too many tokens")
REJECTED = CallError(Kind.REJECTED, "no")
JSON = {"response_format": {"type": "json_object"}}


async def test_a_candidate_is_used_byte_for_byte() -> None:
    """For a client that streams in deltas, otherwise as a whole."""
    for incremental in (False, True):
        stage = scene({"a": " one\n", "b": "two"}, incremental=incremental)
        settled = await case(stage)
        answer = await use_candidate(settled, settled.panel.candidates[0], DecidedBy.FIRST)
        assert answer.completion.text == " one\n"
        assert stage.streamed == (" one\n" if incremental else "")


async def test_the_fallback_writes_if_the_critic_fails() -> None:
    """With the same candidates."""
    stage = scene({"a": "one", "b": "two", "c": BROKEN, "d": "fused"}, critic=Critic("c", ("d",)))
    assert (await ask_critic(await case(stage))).author == "d"


async def test_the_best_candidate_is_the_answer_if_every_critic_fails() -> None:
    """An answer that was paid for is not lost."""
    stage = scene({"a": "one", "b": "two", "c": BROKEN})
    answer = await ask_critic(await case(stage))
    assert (answer.author, answer.decided_by) == ("a", DecidedBy.BEST_CANDIDATE)


async def test_a_critic_that_finds_its_prompt_too_long_gets_one_candidate_less() -> None:
    """Once; the worst-ranked one is dropped."""
    stage = scene({"a": "one", "b": "two", "d": "three", "c": [TOO_LONG, "fused"]}, panel=("a", "b", "d"))
    assert (await ask_critic(await case(stage))).completion.text == "fused"
    assert "three" not in stage.pool.asked("c")[1].messages[-1]["content"]


async def test_candidates_beyond_the_critic_s_context_are_not_shown() -> None:
    """They are dropped whole, the worst-ranked first."""
    stage = scene(
        {"a": "one", "b": "two", "d": "x" * 8000, "c": "fused"},
        panel=("a", "b", "d"),
        models=[model("c", context_tokens=1000)],
    )
    await ask_critic(await case(stage))
    assert "xxx" not in stage.pool.asked("c")[0].messages[-1]["content"]


async def test_without_a_valid_answer_the_error_names_every_cause() -> None:
    """Each proposer's finding and the critic's failure."""
    stage = scene({"a": "{one", "b": "{two", "c": BROKEN}, params=JSON)
    with pytest.raises(SynthesisError) as failed:
        await ask_critic(await case(stage))
    assert [cause.model for cause in failed.value.causes] == ["a", "b", "c"]


async def test_a_critic_that_failed_for_good_on_the_panel_is_not_asked_alone() -> None:
    """Its fallback is."""
    stage = scene({"c": REJECTED, "d": "alone"}, panel=("c",), critic=Critic("c", ("d",)))
    assert (await ask_critic_alone(await case(stage))).author == "d"
    assert len(stage.pool.asked("c")) == 1


async def test_a_reviewed_answer_is_sent_after_its_review() -> None:
    """Nothing of the draft reaches the client before."""
    review = '{"defects": [{"kind": "wrong", "quote": "fused", "problem": "No."}]}'
    stage = scene({"a": "one", "b": "two", "c": ["fused", "better"], "v": review}, incremental=True, verify=Verify("v"))
    answer = await ask_critic(await case(stage))
    assert answer.completion.text == stage.streamed == "better"
