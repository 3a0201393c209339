"""Asking a panel in stages."""

import asyncio
from typing import Any

import pytest

from config.settings import Proposer
from synth.events import DecidedBy, EvidenceFound, StageStarted
from synth.mixture import answer
from synth.panel.ask import Panel
from synth.panel.layers import ask_panel
from tests.synth.scripted_pool import Scene, Script, model, scene
from tests.synth.small_evidence import code
from upstream.errors import CallError, Kind

BROKEN = CallError(Kind.SERVER_ERROR, "overloaded")
EXAMPLES = {1: 2, 2: 4}
RIGHT, WRONG, WORSE = code("2 * n"), code("n + 1"), code("0")


def stages(script: Script, **options: Any) -> Scene:
    """Return a scene of four proposers in stages of one and three, whose examples are those of doubling."""
    given = {"examples": EXAMPLES, "stages": (1, 3), "panel": tuple("abcd"), "critic": None}
    return scene(dict.fromkeys("abcd", "unused") | dict(script), **{**given, **options})


async def ask(stage: Scene) -> Panel:
    return await ask_panel(stage.run, stage.mixture)


async def test_a_first_answer_that_passes_every_example_is_enough() -> None:
    """One call instead of four."""
    stage = stages({"a": RIGHT})
    panel = await ask(stage)
    assert (panel.is_settled, panel.n_asked, len(stage.pool.calls)) == (True, 1, 1)


async def test_an_answer_that_fails_an_example_leads_to_the_next_stage() -> None:
    """The later stage's candidates are ranked together with the first."""
    stage = stages({"a": WRONG, "b": RIGHT, "c": WORSE, "d": WORSE})
    panel = await ask(stage)
    assert [candidate.name for candidate in panel.leaders()] == ["b"]
    assert panel.n_asked == 4
    assert [event.proposers for event in stage.seen(StageStarted)] == [("a",), ("b", "c", "d")]
    assert [event.ranking.n_ran for event in stage.seen(EvidenceFound)] == [1, 4]


async def test_a_failed_first_stage_is_followed_by_the_next() -> None:
    """There must be a candidate, with or without evidence."""
    stage = stages({"a": BROKEN, "b": RIGHT, "c": RIGHT, "d": RIGHT}, examples={})
    assert len((await ask(stage)).candidates) == 3


async def test_without_examples_and_without_a_critic_no_further_stage_is_asked() -> None:
    """There would be no way to choose among further candidates."""
    stage = stages({"a": "Prose."}, examples={})
    assert len((await ask(stage)).candidates) == 1


@pytest.mark.parametrize("options", [{"critic": "a"}, {"evidence": "shadow", "critic": "a"}])
async def test_a_critic_can_choose_so_all_stages_are_asked(options: dict[str, Any]) -> None:
    """Evidence that only records settles nothing either."""
    texts = {"a": RIGHT, "b": WRONG, "c": WORSE, "d": "Prose."}
    stage = stages(texts, **{"examples": {}, **options})
    assert (await ask(stage)).n_asked == 4


async def test_evidence_in_shadow_settles_nothing() -> None:
    """It is recorded all the same."""
    stage = stages({"a": RIGHT, "b": WRONG, "c": WORSE, "d": WORSE}, evidence="shadow", critic="a")
    panel = await ask(stage)
    assert (panel.n_asked, panel.ranking, panel.is_settled) == (4, None, False)
    assert [event.decides for event in stage.seen(EvidenceFound)] == [False, False]


async def test_two_models_with_the_same_outcome_settle_a_stage() -> None:
    """Same code, whatever the words around it."""
    stage = stages(
        {"a": RIGHT, "b": "So:\n\n" + RIGHT.removeprefix("Here:\n\n")}, stages=(2, 2), examples={}, critic="a"
    )
    assert (await ask(stage)).n_asked == 2


@pytest.mark.parametrize(
    ("texts", "params"),
    [
        (["So:\n\n" + RIGHT.removeprefix("Here:\n\n"), RIGHT, WRONG], {}),
        (['{"a": 1, "b": 2}', '{"b":2,"a":1}', '{"a": 2}'], {"response_format": {"type": "json_object"}}),
        (["Yes.", "Yes.", "No."], {}),
    ],
)
@pytest.mark.parametrize("mode", ["auto", "fuse", "select"])
async def test_the_outcome_of_two_models_is_the_answer(texts: list[str], params: dict[str, Any], mode: str) -> None:
    """Same code, same JSON or same words, beside another outcome: neither the next stage nor the critic is asked."""
    script = dict(zip("bac", texts, strict=True))
    stage = stages(script, stages=(3, 1), examples={}, critic="d", mode=mode, params=params)
    answered = (await answer(stage.run, stage.mixture)).answers[0]
    assert (answered.completion.text, answered.author) == (script["a"], "a")
    assert answered.decided_by is DecidedBy.EQUAL_CANDIDATES
    assert len(stage.pool.calls) == 3


async def test_two_outcomes_of_two_models_settle_nothing() -> None:
    """Neither of them is the one that models agree on."""
    stage = stages(
        {"a": RIGHT, "b": RIGHT, "c": WRONG, "d": WRONG, "e": WORSE},
        stages=(4, 1),
        panel=tuple("abcde"),
        examples={},
        critic="a",
    )
    panel = await ask(stage)
    assert (panel.n_asked, panel.agreed) == (5, None)


async def test_aliases_and_samples_of_one_model_do_not_settle_a_stage() -> None:
    """They share their errors: one upstream model has one vote."""
    one = [model(name, model="one") for name in "ab"]
    aliases = stages(
        {"a": RIGHT, "b": RIGHT, "c": WRONG, "d": WORSE}, stages=(2, 2), examples={}, critic="a", models=one
    )
    assert (await ask(aliases)).n_asked == 4
    panel = tuple(Proposer("a", sample=number) for number in (1, 2, 3))
    samples = stages({"a": RIGHT}, panel=panel, stages=(2, 1), examples={}, critic="b")
    assert (await ask(samples)).n_asked == 3


async def test_each_stage_has_an_equal_part_of_the_time_left() -> None:
    """A first model that hangs does not use up the panel's time."""
    stage = stages({"a": WRONG, "b": WRONG, "c": WRONG, "d": WRONG}, critic_reserve_s=20)
    await ask(stage)
    assert [call.deadline - stage.run.started for call in stage.pool.calls] == [20, 40, 40, 40]


async def test_the_quorum_counts_the_candidates_of_all_stages() -> None:
    """With a grace of zero the hanging proposer is cancelled once two valid candidates are in."""
    stage = stages({"a": WRONG, "b": WORSE, "c": asyncio.Event(), "d": asyncio.Event()}, quorum=2, grace_s=0)
    panel = await ask(stage)
    assert [candidate.name for candidate in panel.candidates] == ["a", "b"]
    assert [cause.error.kind for cause in panel.failures] == [Kind.STRAGGLER] * 2


async def test_with_tools_all_proposers_are_asked_at_once() -> None:
    """No candidate could settle the request, so stages would only add latency."""
    tools = {"tools": [{"type": "function", "function": {"name": "f"}}]}
    stage = stages({}, params=tools, critic="a")
    await ask(stage)
    assert stage.seen(StageStarted) == []
    assert len(stage.pool.calls) == 4


async def test_candidates_are_run_while_others_are_still_working() -> None:
    """Evidence begins with the first arrival, and ends with the panel."""
    second_may_answer = asyncio.Event()
    stage = stages({"a": RIGHT, "b": [second_may_answer, WRONG]}, panel=("a", "b"), stages=(), critic="a")
    emit = stage.run.emit

    async def release(event: Any) -> None:
        assert [subject.name for subject in stage.evidence.inquiries[0].subjects][:1] == ["a"]
        second_may_answer.set()
        await emit(event)

    stage.run.emit = release
    await ask(stage)
    assert len(stage.evidence.inquiries[0].subjects) == 2
    assert stage.evidence.n_open == 0
