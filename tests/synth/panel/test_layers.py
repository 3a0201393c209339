"""Asking a panel in layers."""

from synth.events import LayerStarted
from synth.panel.layers import ask_panel
from tests.synth.scripted_pool import scene


async def test_a_further_layer_reads_the_candidates_of_the_one_before() -> None:
    """Fenced, at the end of the conversation; the last layer's candidates count."""
    stage = scene({"a": ["one", "three"], "b": ["two", "four"]}, layers=2)
    panel = await ask_panel(stage.run, stage.mixture)
    assert [candidate.completion.text for candidate in panel.candidates] == ["three", "four"]
    prompt = stage.pool.asked("a")[1].messages[-1]["content"]
    assert "one" in prompt
    assert "two" in prompt
    (started,) = stage.seen(LayerStarted)
    assert sorted(started.letters) == ["a", "b"]


async def test_candidates_that_agree_need_no_further_layer() -> None:
    """A layer is asked only while there is something to settle."""
    stage = scene({"a": "same", "b": "same"}, layers=3)
    await ask_panel(stage.run, stage.mixture)
    assert len(stage.pool.calls) == 2


async def test_the_panel_leaves_time_for_the_critic() -> None:
    """`critic_reserve_s` of the run's time, but the panel has at least half of it."""
    for reserve_s, panel_s in ((20, 40), (50, 30)):
        stage = scene({"a": "x", "b": "y"}, critic_reserve_s=reserve_s)
        await ask_panel(stage.run, stage.mixture)
        assert {call.deadline - stage.run.started for call in stage.pool.calls} == {panel_s}


async def test_layers_share_the_panel_s_time_equally() -> None:
    """No time has passed here, so the first of two layers has half."""
    stage = scene({"a": "x", "b": "y"}, layers=2, critic_reserve_s=20)
    await ask_panel(stage.run, stage.mixture)
    assert stage.pool.calls[0].deadline - stage.run.started == 20


async def test_a_candidate_that_copies_the_fences_is_a_failure() -> None:
    """In a further layer it has repeated the drafts instead of replying."""
    stage = scene({"a": ["one", lambda call: call.messages[-1]["content"]], "b": ["two", "four"]}, layers=2)
    panel = await ask_panel(stage.run, stage.mixture)
    assert [candidate.completion.text for candidate in panel.candidates] == ["four"]
    assert [cause.error.message for cause in panel.failures] == ["it repeats the drafts instead of replying"]
