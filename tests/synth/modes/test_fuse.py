"""The mode `fuse`."""

import pytest

from synth.events import DecidedBy, SynthesisError
from synth.modes.fuse import fuse
from tests.synth.modes.cases import case
from tests.synth.scripted_pool import scene
from tests.synth.small_evidence import code
from upstream.errors import CallError, Kind

BROKEN = CallError(Kind.SERVER_ERROR, "overloaded")
TOOLS = {"tools": [{"type": "function", "function": {"name": "f"}}]}


async def test_the_critic_writes_from_all_candidates() -> None:
    """It reads each of them, anonymous, behind the conversation."""
    stage = scene({"a": "one", "b": "two", "c": "both"})
    answer = await fuse(await case(stage))
    assert (answer.completion.text, answer.author, answer.decided_by) == ("both", "c", DecidedBy.CRITIC)
    prompt = stage.pool.asked("c")[0].messages[-1]["content"]
    assert prompt.startswith("Why?")
    assert "one" in prompt
    assert "two" in prompt


async def test_one_candidate_needs_no_critic() -> None:
    """It is the answer, byte for byte."""
    stage = scene({"a": BROKEN, "b": "  two\n", "c": "unused"})
    answer = await fuse(await case(stage))
    assert (answer.completion.text, answer.decided_by) == ("  two\n", DecidedBy.ONLY_CANDIDATE)
    assert stage.pool.asked("c") == []


async def test_candidates_with_the_same_outcome_need_no_critic() -> None:
    """The best-ranked one is the answer."""
    stage = scene({"a": "same", "b": "same\n", "c": "unused"})
    answer = await fuse(await case(stage))
    assert (answer.author, answer.decided_by) == ("a", DecidedBy.EQUAL_CANDIDATES)


async def test_without_candidates_the_critic_answers_alone() -> None:
    """It reads the conversation as it is."""
    stage = scene({"a": BROKEN, "b": BROKEN, "c": "alone"})
    answer = await fuse(await case(stage))
    assert (answer.completion.text, answer.decided_by) == ("alone", DecidedBy.CRITIC_ALONE)
    assert stage.pool.asked("c")[0].messages is stage.run.request.messages


async def test_with_tools_the_critic_is_asked_even_about_one_candidate() -> None:
    """Only the critic can call them."""
    stage = scene({"a": "call f", "b": BROKEN, "c": "I do"}, params=TOOLS)
    assert (await fuse(await case(stage))).decided_by is DecidedBy.CRITIC


async def test_evidence_that_leaves_one_outcome_needs_no_critic() -> None:
    """As in every mode."""
    stage = scene({"a": code("n + 1"), "b": code("2 * n"), "c": "unused"}, examples={2: 4})
    answer = await fuse(await case(stage))
    assert (answer.author, answer.decided_by) == ("b", DecidedBy.EVIDENCE)


async def test_the_critic_reads_only_the_leaders_and_their_findings() -> None:
    """Candidates that evidence ranks behind are not shown."""
    script = {"a": code("n + 1"), "b": code("2 * n"), "d": code("n + n"), "c": "fused"}
    stage = scene(script, panel=("a", "b", "d"), examples={2: 4})
    assert (await fuse(await case(stage))).decided_by is DecidedBy.CRITIC
    prompt = stage.pool.asked("c")[0].messages[-1]["content"]
    assert "n + 1" not in prompt
    assert ": passes 1 of 1 examples =====" in prompt


async def test_without_a_critic_the_best_candidate_is_the_answer() -> None:
    """By the order of the panel."""
    stage = scene({"a": "one", "b": "two"}, critic=None)
    answer = await fuse(await case(stage))
    assert (answer.author, answer.decided_by) == ("a", DecidedBy.PANEL_ORDER)


async def test_without_a_critic_a_panel_that_failed_is_not_asked_again() -> None:
    """Its causes are the error."""
    stage = scene({"a": BROKEN, "b": BROKEN}, critic=None)
    with pytest.raises(SynthesisError, match="a: overloaded; b: overloaded"):
        await fuse(await case(stage))
    assert len(stage.pool.calls) == 2
