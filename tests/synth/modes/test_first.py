"""The mode `first`."""

from synth.events import DecidedBy
from synth.modes.first import first
from tests.synth.modes.cases import case
from tests.synth.scripted_pool import scene
from tests.synth.small_evidence import code
from upstream.errors import CallError, Kind

BROKEN = CallError(Kind.SERVER_ERROR, "overloaded")


async def test_the_best_valid_candidate_is_the_answer() -> None:
    """Without a critic."""
    stage = scene({"a": "{broken", "b": '{"n": 1}', "c": "unused"}, params={"response_format": {"type": "json_object"}})
    answer = await first(await case(stage))
    assert (answer.author, answer.decided_by) == ("b", DecidedBy.FIRST)
    assert stage.pool.asked("c") == []


async def test_without_a_candidate_the_critic_answers() -> None:
    """As in `fuse`."""
    stage = scene({"a": BROKEN, "b": BROKEN, "c": "alone"})
    assert (await first(await case(stage))).decided_by is DecidedBy.CRITIC_ALONE


async def test_evidence_counts_in_first_as_well() -> None:
    """Among the candidates that have arrived."""
    stage = scene({"a": code("n + 1"), "b": code("2 * n"), "c": "unused"}, examples={2: 4})
    answer = await first(await case(stage))
    assert (answer.author, answer.decided_by) == ("b", DecidedBy.EVIDENCE)
