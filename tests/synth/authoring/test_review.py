"""Reviewing a draft and revising it once."""

import json

from config.settings import Verify
from synth.authoring.author import Assignment, write_answer
from synth.authoring.review import finish_draft
from synth.events import Answered, ReviewArrived, ReviewFailed, Revised
from tests.synth.scripted_pool import Scene, Step, scene
from upstream.errors import CallError, Kind

DEFECT = json.dumps({"defects": [{"kind": "wrong", "quote": "two", "problem": "It is three."}]})
NO_DEFECT = '{"defects": []}'


async def review(stage: Scene, reviewer: str = "v") -> Answered:
    assignment = Assignment(stage.run.request.messages, "critic", stage.run.contract)
    written = await write_answer(stage.run, assignment, ["c"], held=True)
    return await finish_draft(stage.run, assignment, written, Verify(reviewer))


async def test_defects_lead_to_one_revision() -> None:
    """The author reads its draft and the defects; the client gets the revision alone."""
    stage = scene({"c": ["one and two", "one and three"], "v": DEFECT}, incremental=True)
    answer = await review(stage)
    assert answer.completion.text == stage.streamed == "one and three"
    assert "It is three." in stage.pool.asked("c")[1].messages[-1]["content"]
    assert [event.worse for event in stage.seen(Revised)] == [None]


async def test_a_draft_without_defects_is_the_answer() -> None:
    """After one call for the review."""
    stage = scene({"c": "one and two", "v": NO_DEFECT}, incremental=True)
    assert (await review(stage)).completion.text == stage.streamed == "one and two"
    assert len(stage.pool.calls) == 2


async def test_a_defect_that_quotes_other_text_is_dismissed() -> None:
    """It is counted, so that an operator can judge the reviewer."""
    stage = scene({"c": "one and four", "v": DEFECT})
    await review(stage)
    assert [(event.defects, event.n_dismissed) for event in stage.seen(ReviewArrived)] == [((), 1)]


async def test_a_failed_review_leaves_the_draft() -> None:
    """So do a reply that is no list of defects and a failed revision."""
    replies: list[Step] = [CallError(Kind.TIMEOUT, "too slow"), "It looks fine to me."]
    for reply in replies:
        stage = scene({"c": "two", "v": reply}, incremental=True)
        assert (await review(stage)).completion.text == stage.streamed == "two"
        assert len(stage.seen(ReviewFailed)) == 1
    stage = scene({"c": ["two", CallError(Kind.TIMEOUT, "too slow")], "v": DEFECT}, incremental=True)
    assert (await review(stage)).completion.text == stage.streamed == "two"
    assert [event.worse for event in stage.seen(Revised)] == ["too slow"]


async def test_no_model_reviews_its_own_draft() -> None:
    """The draft goes out without a review."""
    stage = scene({"c": "two"}, incremental=True)
    assert (await review(stage, "c")).completion.text == stage.streamed == "two"
    assert len(stage.pool.calls) == 1


async def test_half_of_the_remaining_time_is_for_the_review() -> None:
    """The rest is for a revision."""
    stage = scene({"c": "two", "v": NO_DEFECT})
    await review(stage)
    assert stage.pool.asked("v")[0].deadline == stage.run.started + 30
