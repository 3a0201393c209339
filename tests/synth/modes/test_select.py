"""The mode `select`."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from config.settings import Critic
from synth.events import AuthorStarted, DecidedBy, PickMade
from synth.modes.select import select
from tests.fakes.completions import Completion
from tests.synth.modes.cases import case
from tests.synth.scripted_pool import Scene, Step, scene
from tests.synth.small_evidence import code
from upstream.calls import Call
from upstream.errors import CallError, Kind

BROKEN = CallError(Kind.SERVER_ERROR, "overloaded")


def prefer(text: str) -> Callable[[Call], str]:
    """Return a critic that picks the candidate with this text, in whichever order it is shown."""

    def pick(call: Call) -> str:
        shown = str(call.messages[-1]["content"]).split("===== BEGIN ")[1:]
        return next(each.split()[0] for each in shown if text in each)

    return pick


def stage_of(critic: Step, **options: Any) -> Scene:
    return scene({"a": "one", "b": "two", "c": critic, "d": "A"}, **options)


async def test_a_pick_that_holds_in_both_orders_is_the_answer() -> None:
    """Byte for byte, for few tokens of the critic."""
    stage = stage_of(prefer("two"))
    answer = await select(await case(stage))
    assert (answer.completion.text, answer.author, answer.decided_by) == ("two", "b", DecidedBy.CHOSEN)
    assert len(stage.seen(PickMade)) == 2
    first, second = stage.seen(AuthorStarted)
    assert first.letters == second.letters[::-1]
    assert [call.params["max_tokens"] for call in stage.pool.asked("c")] == [400, 400]


async def test_a_pick_that_follows_the_position_leaves_the_panel_s_order() -> None:
    """The critic names A twice, which is another candidate each time."""
    answer = await select(await case(stage_of("A")))
    assert (answer.author, answer.decided_by) == ("a", DecidedBy.PANEL_ORDER)


async def test_one_order_is_enough_if_the_mixture_says_so() -> None:
    """It halves the cost, without the guard against position bias."""
    stage = stage_of(prefer("two"), orders=1)
    assert (await select(await case(stage))).author == "b"
    assert len(stage.pool.asked("c")) == 1


async def test_the_fallback_picks_if_the_critic_fails() -> None:
    """In both orders again."""
    stage = scene({"a": "one", "b": "two", "c": BROKEN, "d": "A"}, critic=Critic("c", ("d",)))
    assert (await select(await case(stage))).decided_by is DecidedBy.PANEL_ORDER
    assert len(stage.pool.asked("d")) == 2


async def test_the_best_candidate_is_the_answer_if_no_critic_picks() -> None:
    """A failed critic does not cost the answer."""
    answer = await select(await case(stage_of(BROKEN)))
    assert (answer.author, answer.decided_by) == ("a", DecidedBy.BEST_CANDIDATE)


async def test_logprobs_that_are_rejected_are_left_out() -> None:
    """The pick is asked for once more without them."""

    def without_logprobs(call: Call) -> str | CallError:
        return CallError(Kind.REJECTED, "logprobs are not supported") if "logprobs" in call.params else "A"

    stage = stage_of(without_logprobs)
    assert (await select(await case(stage))).decided_by is DecidedBy.PANEL_ORDER
    assert len(stage.pool.asked("c")) == 4


async def test_the_likeliest_letter_beats_the_sampled_one() -> None:
    """As the logprobs of the reply say."""
    token = {"token": "A", "logprob": -1.0, "top_logprobs": [{"token": "B", "logprob": -0.1}]}
    stage = stage_of(Completion(text="A", choice={"logprobs": {"content": [token]}}), orders=1)
    answer = await select(await case(stage))
    (started,) = stage.seen(AuthorStarted)
    assert answer.author == started.letters[1]


@pytest.mark.parametrize("text", ["Both are fine.", "I cannot say.", ""])
async def test_a_reply_without_a_pick_leaves_the_panel_s_order(text: str) -> None:
    """Talk, or nothing at all."""
    answer = await select(await case(stage_of(text)))
    assert answer.author == "a"


EXAMPLES = {1: 2, 2: 4}
RIGHT, ALSO_RIGHT, WRONG = code("2 * n"), code("n + n"), code("n + 1")


async def test_evidence_that_leaves_one_outcome_needs_no_critic() -> None:
    """The candidate that passes is the answer, though it is ranked last."""
    stage = scene({"a": WRONG, "b": RIGHT, "c": "unused"}, examples=EXAMPLES)
    answer = await select(await case(stage))
    assert (answer.author, answer.decided_by) == ("b", DecidedBy.EVIDENCE)
    assert stage.pool.asked("c") == []


async def test_the_critic_picks_only_among_candidates_that_evidence_leaves_equal() -> None:
    """It reads their findings."""
    stage = scene(
        {"a": WRONG, "b": RIGHT, "d": ALSO_RIGHT, "c": prefer("n + n")}, panel=("a", "b", "d"), examples=EXAMPLES
    )
    answer = await select(await case(stage))
    assert (answer.author, answer.decided_by) == ("d", DecidedBy.CHOSEN)
    prompt = stage.pool.asked("c")[0].messages[-1]["content"]
    assert "n + 1" not in prompt
    assert len(re.findall("===== RUN [AB] [0-9a-f]{16}: passes 2 of 2 examples =====", prompt)) == 2


async def test_a_settled_first_stage_is_decided_by_evidence() -> None:
    """Though it is the only candidate."""
    stage = scene({"a": RIGHT, "b": "unused", "c": "unused"}, stages=(1, 1), examples=EXAMPLES)
    assert (await select(await case(stage))).decided_by is DecidedBy.EVIDENCE


async def test_without_a_critic_the_order_decides_after_evidence() -> None:
    """Here both pass."""
    stage = scene({"a": RIGHT, "b": ALSO_RIGHT}, critic=None, examples=EXAMPLES)
    answer = await select(await case(stage))
    assert (answer.author, answer.decided_by) == ("a", DecidedBy.PANEL_ORDER)


async def test_without_a_critic_the_best_ranked_of_those_that_pass_is_evident() -> None:
    """Evidence has ruled out the first of the panel."""
    stage = scene({"a": WRONG, "b": RIGHT, "c": ALSO_RIGHT}, panel=("a", "b", "c"), critic=None, examples=EXAMPLES)
    answer = await select(await case(stage))
    assert (answer.author, answer.decided_by) == ("b", DecidedBy.EVIDENCE)


async def test_candidates_that_all_fail_are_not_vetoed() -> None:
    """Examples may be wrong: they rank, and never rule out."""
    stage = scene({"a": WRONG, "b": code("1 + n")}, critic=None, examples={1: 100})
    assert (await select(await case(stage))).author == "a"
