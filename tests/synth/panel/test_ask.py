"""Asking the proposers of a panel."""

import asyncio

import pytest

from config.settings import Proposer
from synth.events import CandidateArrived, CandidateFailed, Event, ProposerLeftOut
from synth.panel.ask import Panel, Question, ask_proposers, drop_weak
from tests.fakes.completions import Completion
from tests.synth.scripted_pool import Scene, model, scene
from upstream.errors import CallError, Kind

REFUSED = CallError(Kind.REJECTED, "no such field")
OVERLOADED = CallError(Kind.RATE_LIMITED, "too many requests")
IMAGE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://h/i.png"}}]}


async def ask(stage: Scene, panel: Panel | None = None) -> Panel:
    panel = Panel() if panel is None else panel
    question = Question(stage.run.request, stage.run.deadline, stage.mixture.panel)
    await ask_proposers(stage.run, stage.mixture, panel, question, lambda _: None)
    return panel


async def test_candidates_are_in_the_order_of_the_panel() -> None:
    """Even if the best-ranked proposer answers last; events are in the order of arrival."""
    first_event = asyncio.Event()
    stage = scene({"a": [first_event, "first"], "b": "second"})

    async def emit(event: Event) -> None:
        stage.events.append(event)
        first_event.set()

    stage.run.emit = emit
    panel = await ask(stage)
    assert [candidate.name for candidate in panel.candidates] == ["a", "b"]
    assert [event.call.name for event in stage.seen(CandidateArrived)] == ["b", "a"]


async def test_a_failure_is_recorded_with_its_cause() -> None:
    """It is an event, a cause, and the outcome of its call."""
    stage = scene({"a": OVERLOADED, "b": "fine"})
    panel = await ask(stage)
    assert [(cause.model, cause.error.kind) for cause in panel.failures] == [("a", Kind.RATE_LIMITED)]
    assert [event.call.outcome for event in stage.seen(CandidateFailed)] == [Kind.RATE_LIMITED]
    assert panel.unfit_models == frozenset()


async def test_a_model_that_failed_for_good_is_left_out_of_the_next_question() -> None:
    """A rejected request stays rejected, so it is not sent twice."""
    stage = scene({"a": REFUSED, "b": "fine"})
    panel = await ask(stage)
    await ask(stage, panel)
    assert [event.name for event in stage.seen(ProposerLeftOut)] == ["a"]
    assert len(stage.pool.asked("a")) == 1


async def test_a_proposer_that_cannot_see_is_left_out() -> None:
    """With the reason in the event, and without a call."""
    stage = scene({"a": "a cat", "b": "a cat"}, messages=[IMAGE], models=[model("a", capabilities=frozenset())])
    panel = await ask(stage)
    assert [candidate.name for candidate in panel.candidates] == ["b"]
    assert [(event.name, event.reason) for event in stage.seen(ProposerLeftOut)] == [
        ("a", "it lacks the capability vision")
    ]


async def test_a_conversation_that_does_not_fit_is_not_sent() -> None:
    """A call that would be refused is spared."""
    stage = scene({"a": "x", "b": "y"}, models=[model("a", context_tokens=100)])
    await ask(stage)
    assert stage.pool.asked("a") == []


async def test_after_the_quorum_and_its_grace_the_others_are_cancelled() -> None:
    """With a grace of zero: at once. The cancelled call counts as a failure."""
    stage = scene({"a": asyncio.Event(), "b": "fast"}, quorum=1, grace_s=0)
    panel = await ask(stage)
    assert [candidate.name for candidate in panel.candidates] == ["b"]
    assert [cause.error.kind for cause in panel.failures] == [Kind.STRAGGLER]
    assert panel.quorum_wait_s == 0


async def test_samples_of_one_model_have_their_own_names_and_params() -> None:
    """Two places on the panel for one model are two calls."""
    panel = (Proposer("a", {"temperature": 0}, 1), Proposer("a", {"temperature": 1}, 2))
    stage = scene({"a": ["one", "two"]}, panel=panel)
    result = await ask(stage)
    assert {candidate.name for candidate in result.candidates} == {"a#1", "a#2"}
    assert [call.overrides["temperature"] for call in stage.pool.asked("a")] == [0, 1]


@pytest.mark.parametrize(
    "weak", [Completion(text="cut", finish_reason="length"), Completion(text=None, message={"refusal": "No."})]
)
async def test_weak_candidates_count_only_if_there_are_no_others(weak: Completion) -> None:
    """A truncated answer or a refusal gives way to any complete answer."""
    both = await ask(scene({"a": weak, "b": "fine"}))
    assert [candidate.name for candidate in drop_weak(both.candidates)] == ["b"]
    alone = await ask(scene({"a": weak}, panel=("a",)))
    assert [candidate.name for candidate in drop_weak(alone.candidates)] == ["a"]


async def test_a_later_layer_without_valid_candidates_replaces_nothing() -> None:
    """Valid candidates are never given up; failures of both are kept."""
    earlier = await ask(scene({"a": "fine", "b": "fine"}))
    later = await ask(scene({"a": OVERLOADED, "b": OVERLOADED}))
    earlier.merge(later)
    assert len(earlier.candidates) == 2
    assert len(earlier.failures) == 2


async def test_a_client_s_seed_is_counted_up_for_samples() -> None:
    """Equal seeds would give equal samples; a seed of the configuration stays."""
    panel = (Proposer("a", {}, 1), Proposer("a", {}, 2), Proposer("a", {"seed": 5}, 3), Proposer("b"))
    stage = scene({"a": "x", "b": "y"}, panel=panel, params={"seed": 7})
    await ask(stage)
    assert [call.overrides.get("seed") for call in stage.pool.asked("a")] == [7, 8, 5]
    assert "seed" not in stage.pool.asked("b")[0].overrides
