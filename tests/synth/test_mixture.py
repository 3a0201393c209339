"""Answering a request by a mixture or by a single model."""

from typing import Any

import pytest

from config.settings import Critic, Proposer
from synth.events import Answered, DecidedBy, Finished, ModeChosen, PanelSettled, SynthesisError, TextDelta
from synth.mixture import answer
from tests.synth.scripted_pool import Scene, model, scene
from upstream.errors import CallError, Kind

CODE = "```python\ndef f():\n    return {}\n```"
BROKEN = CallError(Kind.SERVER_ERROR, "overloaded")
COMMIT = ({"role": "user", "content": "Generate a commit message for these changes:"},)
TOOL_RESULT = (
    {"role": "user", "content": "Why?"},
    {
        "role": "assistant",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "1", "content": "42"},
)


async def test_the_events_of_a_run_are_in_order() -> None:
    """The panel settles, the mode is chosen, the answer is complete, the run has finished."""
    stage = scene({"a": "one", "b": "two", "c": "both"})
    finished = await answer(stage.run, stage.mixture)
    assert finished.answers[0].completion.text == "both"
    kinds = [type(event) for event in stage.seen(PanelSettled, ModeChosen, Answered, Finished)]
    assert kinds == [PanelSettled, ModeChosen, Answered, Finished]
    assert stage.events[-1] is finished


@pytest.mark.parametrize(("texts", "mode"), [(("one", "two"), "fuse"), ((CODE, CODE.replace("{}", "1")), "select")])
async def test_auto_selects_among_code_and_fuses_prose(texts: tuple[str, str], mode: str) -> None:
    """A rewritten edit breaks; a rewritten sentence does not."""
    stage = scene({"a": texts[0], "b": texts[1], "c": "A"})
    await answer(stage.run, stage.mixture)
    assert [event.mode for event in stage.seen(ModeChosen)] == [mode]


async def test_a_chore_asks_one_model() -> None:
    """The bypass rule is named in the event; the critics step in if the model fails."""
    stage = scene({"a": "x", "b": "x", "c": BROKEN, "d": "Fix the loop"}, messages=COMMIT, critic=Critic("c", ("d",)))
    finished = await answer(stage.run, stage.mixture)
    assert finished.answers[0].decided_by is DecidedBy.BYPASS
    assert finished.answers[0].author == "d"
    assert [event.bypass for event in stage.seen(ModeChosen)] == ["commit-message"]
    assert stage.pool.asked("a") == []


async def test_a_tool_s_result_asks_the_critic_alone() -> None:
    """The model continues its work; there is nothing to propose."""
    stage = scene({"a": "x", "b": "x", "c": "42"}, messages=TOOL_RESULT)
    assert (await answer(stage.run, stage.mixture)).answers[0].decided_by is DecidedBy.CRITIC_ALONE
    every_turn = scene({"a": "x", "b": "y", "c": "42"}, messages=TOOL_RESULT, tools_fan_out="every_turn")
    assert (await answer(every_turn.run, every_turn.mixture)).answers[0].decided_by is DecidedBy.CRITIC


async def test_the_critic_s_upstream_is_connected_while_the_panel_answers() -> None:
    """Unless the panel uses it anyway, or no critic will be asked."""
    stage = scene({"a": "x", "b": "y", "c": "z"})
    await answer(stage.run, stage.mixture)
    assert stage.pool.connections == ["c"]
    member = scene({"a": "x", "b": "y"}, critic="a")
    await answer(member.run, member.mixture)
    first = scene({"a": "x", "b": "y", "c": "z"}, mode="first")
    await answer(first.run, first.mixture)
    assert member.pool.connections == first.pool.connections == []


async def test_several_choices_are_made_from_one_panel() -> None:
    """The critic writes each; if it fails, the best candidate is that choice."""
    stage = scene(
        {"a": "x", "b": "y", "c": ["one", BROKEN, "three"]}, n=3, messages=({"role": "user", "content": "?"},)
    )
    finished = await answer(stage.run, stage.mixture)
    assert len(stage.pool.asked("a")) == 1
    assert [each.choice for each in finished.answers] == [0, 1, 2]
    assert [each.decided_by for each in finished.answers].count(DecidedBy.BEST_CANDIDATE) == 1


async def test_a_model_s_own_name_asks_it_alone() -> None:
    """No panel and no mode."""
    stage = scene({"a": "one"}, panel=("a",), critic="a")
    assert (await answer(stage.run, "a")).answers[0].decided_by is DecidedBy.MODEL
    assert stage.seen(ModeChosen) == []


async def test_without_any_answer_every_cause_is_named() -> None:
    """Proposers first, then critics."""
    stage = scene({"a": BROKEN, "b": BROKEN, "c": BROKEN})
    with pytest.raises(SynthesisError) as failed:
        await answer(stage.run, stage.mixture)
    assert [cause.model for cause in failed.value.causes] == ["a", "b", "c"]


TOOLS = {"tools": [{"type": "function", "function": {"name": "f"}}]}


async def test_without_a_critic_the_best_member_that_can_calls_the_tools() -> None:
    """No panel is asked: nobody could act on its advice."""
    stage = scene({"a": "x", "b": "y"}, critic=None, params=TOOLS, models=[model("a", capabilities=frozenset())])
    finished = await answer(stage.run, stage.mixture)
    assert finished.answers[0].author == "b"
    assert stage.pool.asked("a") == []


@pytest.mark.parametrize("messages", [COMMIT, TOOL_RESULT])
async def test_without_a_critic_the_best_member_answers_alone(messages: tuple[dict[str, Any]]) -> None:
    """Chores and turns in the middle of work."""
    stage = scene({"a": "done", "b": "y"}, critic=None, messages=messages)
    assert (await answer(stage.run, stage.mixture)).answers[0].author == "a"
    assert [call.role for call in stage.pool.calls] == ["direct"]


def staged(text: str = "Some words.", **options: Any) -> Scene:
    """Return a streamed run of a mixture without a critic, whose first stage is one proposer."""
    given: dict[str, Any] = {"critic": None, "stages": (1, 1), "incremental": True, "examples": {}}
    return scene({"a": text, "b": "Other words."}, **{**given, **options})


async def test_the_only_possible_answer_is_streamed_while_it_is_written() -> None:
    """In the deltas of the upstream, because nothing could rank a further candidate against it."""
    stage = staged(panel=(Proposer("a", {"temperature": 0}), "b"))
    finished = await answer(stage.run, stage.mixture)
    assert stage.streamed == finished.answers[0].completion.text == "Some words."
    assert [event.text for event in stage.seen(TextDelta)] == ["Some", " wor", "ds."]
    assert [event.bypass for event in stage.seen(ModeChosen)] == ["nothing-to-rank-by"]
    assert stage.pool.calls[0].overrides == {"temperature": 0}


async def test_another_member_answers_if_the_first_fails_before_its_first_word() -> None:
    """The client sees nothing of the failure, and each member has its own parameters."""
    stage = staged(panel=(Proposer("a", {"temperature": 0}), Proposer("b", {"top_p": 0.5})))
    stage.pool.script("a", BROKEN)
    await answer(stage.run, stage.mixture)
    assert stage.streamed == "Other words."
    assert [call.overrides for call in stage.pool.calls] == [{"temperature": 0}, {"top_p": 0.5}]


@pytest.mark.parametrize(
    "options",
    [
        {"examples": {1: 2}},
        {"incremental": False},
        {"critic": "b"},
        {"stages": (2,)},
        {"params": {"response_format": {"type": "json_object"}}, "text": '{"n": 1}'},
        {"models": [model("a", context_tokens=100)]},
    ],
)
async def test_an_answer_that_may_yet_lose_is_not_streamed_ahead(options: dict[str, Any]) -> None:
    """The panel is asked."""
    stage = staged(**options)
    await answer(stage.run, stage.mixture)
    assert stage.seen(PanelSettled)[0].n_asked > 0


@pytest.mark.parametrize(
    ("fan_out", "n_asked", "why"), [("new_turns", 0, "tool turn"), ("every_turn", 2, "every turn")]
)
async def test_the_mode_says_why_a_panel_was_asked_on_a_tool_turn(fan_out: str, n_asked: int, why: str) -> None:
    """Or why it was not."""
    stage = scene({"a": "x", "b": "y", "c": "42"}, messages=TOOL_RESULT, tools_fan_out=fan_out)
    await answer(stage.run, stage.mixture)
    assert [event.why for event in stage.seen(ModeChosen)] == [why]
    assert stage.seen(PanelSettled)[0].n_asked == n_asked
