"""The counts that one request adds, and the order of its panel by earlier counts."""

from synth.events import DecidedBy, PanelArranged, StageStarted
from synth.feedback.marks import mark_answer
from synth.feedback.verdict import Verdict
from synth.normalize import Completion
from tests.synth.feedback.learning import learning, member, names, run, trust
from tests.synth.small_evidence import code
from upstream.errors import CallError, Kind

ONE = "The answer is the number forty-two."
OTHER = "The answer is the number forty-three."
UNSTABLE = "A"  # in both orders, so once the one and once the other: the order of the panel decides
EXAMPLES = {1: 2, 2: 4}
RIGHT, WRONG, WORSE = code("2 * n"), code("n + 1"), code("0")
B_IS_BETTER = trust(("a", 10, 40), ("b", 40, 10))


async def test_an_answer_by_rank_alone() -> None:
    """The critic has no preference: the author was first, one member agreed, and one differed."""
    stage, learner = learning(
        {"a": ONE, "b": f"{ONE}\n", "c": OTHER, "critic": UNSTABLE},
        panel=("a", "b", "c"), critic="critic", mode="select",
    )  # fmt: skip
    (answered,) = (await run(stage)).answers
    assert answered.decided_by is DecidedBy.PANEL_ORDER
    (answer,) = learner.list_answers("r1")
    record = answer.record
    assert (names(record.authors), names(record.agreed), names(record.differed)) == (["a"], ["b"], ["c"])
    assert record.front == member("a")
    assert record.id == "r1:0"
    assert (record.mixture, record.kind, record.verdict) == ("mom", "plain - chat", Verdict.NONE)
    assert answer.marks == mark_answer(Completion(ONE), "dev")


async def test_a_candidate_that_was_chosen() -> None:
    """The critic's own choice says nothing about the rank."""
    stage, learner = learning(
        {"a": ONE, "b": OTHER, "critic": lambda call: "A" if call is stage.pool.calls[2] else "B"},
        critic="critic", mode="select",
    )  # fmt: skip
    (answered,) = (await run(stage)).answers
    assert answered.decided_by is DecidedBy.CHOSEN
    (answer,) = learner.list_answers("r1")
    assert names(answer.record.authors) == [answered.author]
    assert answer.record.front == ""


async def test_equal_candidates_agree() -> None:
    """All members gave the same answer, so none differed."""
    stage, learner = learning({"a": ONE, "b": ONE}, critic=None)
    await run(stage)
    (answer,) = learner.list_answers("r1")
    assert (names(answer.record.authors), names(answer.record.agreed), answer.record.differed) == (["a"], ["b"], ())


async def test_an_answer_of_the_critic() -> None:
    """A critic's own answer leaves the members open, and does not count for their rank."""
    stage, learner = learning({"a": ONE, "b": OTHER, "critic": f"{ONE} Or so."}, critic="critic", mode="fuse")
    await run(stage)
    (answer,) = learner.list_answers("r1")
    assert answer.record.is_by_critic
    assert (names(answer.record.authors), names(answer.record.differed)) == (["critic"], ["a", "b"])


async def test_evidence_judges_all_members() -> None:
    """Running the candidates says of each whether it is right, before any feedback, and it is a first verdict."""
    stage, learner = learning(
        {"a": WRONG, "b": RIGHT, "c": WORSE}, panel=("a", "b", "c"), critic=None, examples=EXAMPLES
    )
    await run(stage)
    expected = {member("a"): False, member("b"): True, member("c"): False}
    assert learner.list_tested() == expected
    (answer,) = learner.list_answers("r1")
    assert names(answer.record.authors) == ["b"]
    assert answer.record.known == expected
    assert answer.record.verdict == Verdict.SEEMS_RIGHT


async def test_one_tested_member_is_not_counted() -> None:
    """If only one candidate was run, nothing is counted for the order."""
    stage, learner = learning({"a": RIGHT, "b": CallError(Kind.TIMEOUT, "late")}, critic=None, examples=EXAMPLES)
    await run(stage)
    assert learner.list_tested() == {}


async def test_a_bypass_is_not_learnt_from() -> None:
    """Commit messages and titles are answered by one model, and not remembered."""
    messages = [
        {"role": "system", "content": "Generate a commit message for these changes"},
        {"role": "user", "content": "diff"},
    ]
    stage, learner = learning({"a": ONE, "b": ONE}, critic=None, messages=messages)
    await run(stage)
    assert learner.list_answers("r1") == []


async def test_short_answers_are_not_remembered() -> None:
    """An answer without a mark could not be recognised."""
    stage, learner = learning({"a": "42", "b": "43"}, critic=None)
    await run(stage)
    assert learner.list_answers("r1") == []


async def test_trust_decides_ties() -> None:
    """With `learn: on` a credibly better member is the answer where the order decides, and is in front."""
    stage, learner = learning({"a": ONE, "b": OTHER}, critic=None, mode="select", learn="on", knows=B_IS_BETTER)
    (answered,) = (await run(stage)).answers
    assert answered.completion.text == OTHER
    assert stage.seen(PanelArranged) == [PanelArranged(("b", "a"), decides=True)]
    assert learner.list_answers("r1")[0].record.front == member("b")


async def test_trust_decides_who_is_asked_first() -> None:
    """In stages the credibly better member is asked first."""
    stage, _ = learning(
        {"a": RIGHT, "b": RIGHT}, critic=None, stages=(1, 1), learn="on", knows=B_IS_BETTER, examples=EXAMPLES
    )
    await run(stage)
    assert [event.proposers for event in stage.seen(StageStarted)] == [("b",)]


async def test_shadow_records_the_order_without_using_it() -> None:
    """In `shadow` nothing changes but the event."""
    stage, learner = learning({"a": ONE, "b": OTHER}, critic=None, mode="select", knows=B_IS_BETTER)
    (answered,) = (await run(stage)).answers
    assert answered.completion.text == ONE
    assert stage.seen(PanelArranged) == [PanelArranged(("b", "a"), decides=False)]
    assert learner.list_answers("r1")[0].record.front == member("a")


async def test_off_does_nothing() -> None:
    """With `learn: off` the order is the operator's, and no event says anything else."""
    stage, _ = learning({"a": ONE, "b": OTHER}, critic=None, mode="select", learn="off", knows=B_IS_BETTER)
    (answered,) = (await run(stage)).answers
    assert answered.completion.text == ONE
    assert stage.seen(PanelArranged) == []


async def test_samples_move_together() -> None:
    """Samples of one model are one member, and keep their order."""
    from config.settings import Proposer  # noqa: PLC0415 -- beside its only use

    panel = (Proposer("a", sample=1), Proposer("b", sample=1), Proposer("a", sample=2), Proposer("b", sample=2))
    stage, learner = learning({"a": ONE, "b": OTHER}, panel=panel, critic=None, learn="on", knows=B_IS_BETTER)
    mixture, _ = learner.arrange(stage.mixture)
    assert [proposer.name for proposer in mixture.panel] == ["b#1", "b#2", "a#1", "a#2"]


async def test_work_with_tools_keeps_its_actor() -> None:
    """In the middle of an agent's work the acting model stays."""
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Do it."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "ok"},
    ]
    stage, _ = learning({"a": ONE, "b": OTHER}, critic=None, learn="on", knows=B_IS_BETTER, messages=messages)
    (answered,) = (await run(stage)).answers
    assert (answered.author, stage.seen(PanelArranged)) == ("a", [])
