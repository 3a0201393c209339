"""The mode `fuse`."""

from synth.events import DecidedBy
from synth.modes.fuse import fuse
from tests.synth.modes.cases import case
from tests.synth.scripted_pool import scene
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
