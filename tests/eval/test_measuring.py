"""Every arm answers the same recorded panel through the real pipeline, and is graded and counted."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.settings import Critic, Proposer, Settings, Verify
from eval.arms import make_arms
from eval.asking import Conditions
from eval.edit_suite import Edit, messages
from eval.items import Item
from eval.measuring import ANY_CANDIDATE, Measuring, Result
from eval.record import Record, Recorder
from runtime.sandbox.programs import Program, Verdict
from synth.edits import EditForm
from tests.fakes import FakeUpstream, answer, from_request, status
from tests.running import model, settings
from upstream.pool import Pool

CONDITIONS = Conditions(seed=1, max_tokens=100)
RIGHT, WRONG = "```python\nx = 1\n```", "```python\nx = 2\n```"


def item(name: str) -> Item:
    """Return an item that is passed by the code x = 1."""
    asked = f"Reply with only one code block, please. {name}"
    return Item("toys", name, [{"role": "user", "content": asked}], lambda text: Program({"main.py": text}, "main.py"))


def grade(program: Program) -> Verdict:
    """Grade without running anything."""
    return Verdict.PASSED if "x = 1" in program.files["main.py"] else Verdict.FAILED


async def measured(config: Settings, names: list[str], path: Path, *, asks: bool = True) -> dict[str, Result]:
    """Return the results of some arms for one item, by arm."""
    record, mixture, pool = Record(path), config.mixtures[0], Pool(config.models)
    recorder = Recorder(pool, record, {"runtime": "fake"}) if asks else None
    try:
        arms = make_arms(mixture, CONDITIONS.seed)
        measuring = Measuring(record, config, mixture, CONDITIONS, recorder=recorder, grade=grade)
        [results] = [found async for found in measuring.results([arms[name] for name in names], [item("one")])]
    finally:
        await pool.close()
    return {result.arm: result for result in results}


def critic_says(body: Mapping[str, Any]) -> str:
    """Choose the right candidate where there are candidates, and be wrong alone."""
    text = body["messages"][-1]["content"]
    if "x = 2" not in text:
        return WRONG
    return "A" if text.index("x = 1") < text.index("x = 2") else "B"


@pytest.fixture
def config(upstream: FakeUpstream) -> Settings:
    """Two members of which the second is right, and a critic that can tell."""
    upstream.script("a", answer(WRONG))
    upstream.script("b", answer(RIGHT))
    upstream.script("critic", from_request(critic_says))
    models = [model(name, upstream) for name in ("a", "b", "critic")]
    return settings(models, panel=["a", "b"], critic=Critic("critic"))


async def test_each_arm_answers_for_itself(config: Settings, upstream: FakeUpstream, tmp_path: Path) -> None:
    """Members and modes differ as they should, and each member was asked once for all of them."""
    names = ["a", "b", "critic-alone", "select", "as-configured", "first"]
    found = await measured(config, names, tmp_path / "record.jsonl")
    passed = {arm: result.passed for arm, result in found.items()}
    assert passed["b"]
    assert not passed["a"]
    assert not passed["critic-alone"]
    assert passed["select"]
    assert passed["as-configured"]
    assert found["select"].answer.text == RIGHT
    assert found["select"].answer.decided_by == "chosen"
    assert [found[name].answer.n_calls for name in ("a", "critic-alone", "select")] == [1, 1, 4]
    assert found["select"].answer.prompt_tokens > found["a"].answer.prompt_tokens
    assert [len(upstream.requests_for(name)) for name in ("a", "b")] == [1, 1]


async def test_a_measurement_is_resumed_from_its_record(
    config: Settings, upstream: FakeUpstream, tmp_path: Path
) -> None:
    """A second run asks nobody, and comes to the same; an item with a call that is missing is left out."""
    first = await measured(config, ["a", "select"], tmp_path / "record.jsonl")
    n_requests = len(upstream.requests)
    again = await measured(config, ["a", "select"], tmp_path / "record.jsonl", asks=False)
    assert len(upstream.requests) == n_requests
    assert {arm: result.answer.text for arm, result in again.items()} == {
        arm: result.answer.text for arm, result in first.items()
    }
    assert await measured(config, ["critic-alone"], tmp_path / "record.jsonl", asks=False) == {}


async def test_both_packings_of_advice_can_be_compared(
    config: Settings, upstream: FakeUpstream, tmp_path: Path
) -> None:
    """On a turn with tools: members read a summary or the whole transcript, and the critic's calls are graded."""
    tool = {"type": "function", "function": {"name": "look", "description": "Looks at a file.", "parameters": {}}}
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"path": "x = 1"}'}}
    upstream.script("critic", answer("", tool_calls=[call], finish_reason="tool_calls"))
    tooled = replace(item("one"), tools=[tool])
    names = ["a", "advice-prose", "advice-transcript"]
    record, pool = Record(tmp_path / "record.jsonl"), Pool(config.models)
    try:
        arms = make_arms(config.mixtures[0], CONDITIONS.seed)
        recorder = Recorder(pool, record, {"runtime": "fake"})
        measuring = Measuring(record, config, config.mixtures[0], CONDITIONS, recorder=recorder, grade=grade)
        [results] = [found async for found in measuring.results([arms[name] for name in names], [tooled])]
    finally:
        await pool.close()
    found = {result.arm: result for result in results}
    assert [found[name].passed for name in names] == [False, True, True]
    assert [found[name].answer.n_calls for name in names] == [1, 3, 3]
    read = ["Looks at a file." in str(request.body["messages"]) for request in upstream.requests_for("b")]
    assert sorted(read) == [False, True]


async def test_a_staged_mixture_keeps_its_critic(config: Settings, tmp_path: Path) -> None:
    """One member is asked, and the others and the critic only because nothing settles the first stage."""
    found = await measured(config, ["a", "staged"], tmp_path / "record.jsonl")
    assert found["staged"].passed
    assert (found["staged"].answer.n_calls, found["staged"].answer.decided_by) == (4, "chosen")


async def test_the_random_member_is_drawn_by_the_seed(config: Settings) -> None:
    """The same seed draws the same members, and in the long run all of them."""
    items = [item(str(number)) for number in range(40)]
    drawn = make_arms(config.mixtures[0], 5)["random"].model
    again = make_arms(config.mixtures[0], 5)["random"].model
    assert drawn is not None
    assert again is not None
    assert [drawn(each) for each in items] == [again(each) for each in items]
    assert {drawn(each) for each in items} == {"a", "b"}


async def test_the_dearer_arms_answer_too(config: Settings, upstream: FakeUpstream, tmp_path: Path) -> None:
    """A draft that is looked at again, and one member asked several times, each with a seed of its own."""
    mixture = replace(config.mixtures[0], verify=Verify("b"))
    verified = replace(config, mixtures=(mixture,))
    found = await measured(verified, ["fuse", "fuse+verify", "samples"], tmp_path / "record.jsonl")
    assert found["fuse+verify"].answer.n_calls > found["fuse"].answer.n_calls
    assert found["samples"].answer.text == WRONG
    seeds = [request.body["seed"] for request in upstream.requests_for("a")]
    assert sorted(seeds) == [1, 2, 3, 4]
    assert "fuse+verify" not in make_arms(config.mixtures[0], CONDITIONS.seed)


CHECK = (sys.executable, "-B", "check.py")
ASK = "Reply with only one code block: a function `f`, such that f(1) should be 2, and f(2) should be 4."
ADDS, DOUBLES = "```python\ndef f(x):\n    return x + 1\n```", "```python\ndef f(x):\n    return 2 * x\n```"


def doubling() -> Item:
    """Return an item that is passed by doubling."""
    return Item(
        "toys", "double", [{"role": "user", "content": ASK}], lambda text: Program({"main.py": text}, "main.py")
    )


async def measured_by_evidence(config: Settings, names: list[str], path: Path) -> dict[str, Result]:
    """Measure a panel of samples without a critic, whose code is really run."""
    record, mixture, pool = Record(path), config.mixtures[0], Pool(config.models)

    def grade_doubling(program: Program) -> Verdict:
        return Verdict.PASSED if "2 * x" in program.files["main.py"] else Verdict.FAILED

    try:
        recorder = Recorder(pool, record, {"runtime": "fake"})
        measuring = Measuring(record, config, mixture, CONDITIONS, recorder=recorder, grade=grade_doubling)
        arms = make_arms(mixture, CONDITIONS.seed)
        [results] = [found async for found in measuring.results([arms[name] for name in names], [doubling()])]
    finally:
        await pool.close()
    return {result.arm: result for result in results}


@pytest.fixture
def sampled(upstream: FakeUpstream) -> Settings:
    """Three samples of one model, of which the last is right; no critic."""
    by_seed = {1: ADDS, 2: ADDS, 3: DOUBLES}
    upstream.script("a", from_request(lambda body: by_seed[body["seed"]]))
    config = settings([model("a", upstream)], panel=["a"])
    panel = tuple(Proposer("a", {"temperature": 0.5}, number) for number in (1, 2, 3))
    mixture = replace(config.mixtures[0], panel=panel, critic=None, stages=(1, 2))
    return replace(config, mixtures=(mixture,))


async def test_evidence_chooses_the_candidate_that_passes_the_examples(sampled: Settings, tmp_path: Path) -> None:
    """By all examples, by half of them and by none: f(1) == 2 alone does not tell adding from doubling."""
    names = ["a", "evidence", "evidence-half", "evidence-none", "evidence+stages"]
    found = await measured_by_evidence(sampled, names, tmp_path / "record.jsonl")
    assert {arm: result.passed for arm, result in found.items()} == {
        "a": False,
        "evidence": True,
        "evidence-half": False,
        "evidence-none": False,
        "evidence+stages": True,
        ANY_CANDIDATE: True,
    }
    assert found["evidence"].answer.decided_by == "evidence"
    assert found["evidence"].answer.signal == "examples"
    assert found["evidence+stages"].answer.n_calls == 3


async def test_a_stage_that_settles_is_the_last(sampled: Settings, upstream: FakeUpstream, tmp_path: Path) -> None:
    """If the first sample passes all examples, the others are not asked."""
    upstream.script("a", from_request(lambda _body: DOUBLES))
    found = await measured_by_evidence(sampled, ["evidence+stages"], tmp_path / "record.jsonl")
    assert found["evidence+stages"].passed
    assert found["evidence+stages"].answer.n_calls == 1


async def test_a_replay_keeps_the_recorded_order(config: Settings, upstream: FakeUpstream, tmp_path: Path) -> None:
    """The mode `first` takes who was first when it was recorded, in every replay."""
    upstream.script("a", answer(WRONG, delay_s=2.0))
    for _ in range(3):
        found = await measured(config, ["first"], tmp_path / "record.jsonl")
        assert found["first"].passed
        assert found["first"].answer.seconds < 2.0


async def test_a_member_that_fails_is_a_failure_in_every_arm(
    config: Settings, upstream: FakeUpstream, tmp_path: Path
) -> None:
    """It is asked once in a run, and what it did not say is not recorded."""
    upstream.script("a", status(400))
    found = await measured(config, ["a", "select"], tmp_path / "record.jsonl")
    assert found["a"].answer.decided_by == "nobody"
    assert found[ANY_CANDIDATE].passed
    assert found["select"].passed
    assert len(upstream.requests_for("a")) == 1


FILES = {"limit.py": "LIMIT = 1\n", "check.py": "from limit import LIMIT\nassert LIMIT == 3\n"}


async def test_a_checker_runs_the_item_s_command(upstream: FakeUpstream, tmp_path: Path) -> None:
    """On a work tree with the item's files; without it the panel's order decides."""
    by_seed = {seed: f"limit.py\n```\nLIMIT = {seed}\n```" for seed in (1, 2, 3)}
    upstream.script("a", from_request(lambda body: by_seed[body["seed"]]))
    config = settings([model("a", upstream)], panel=["a"])
    panel = tuple(Proposer("a", {"temperature": 0.5}, number) for number in (1, 2, 3))
    mixture = replace(config.mixtures[0], panel=panel, critic=None)
    asked = messages(Edit("limit", "Raise the limit.", {"limit.py": FILES["limit.py"]}, "", ()), EditForm.WHOLE_FILE)
    raising = Item("toys", "limit", asked, lambda text: Program({"main.py": text}, "main.py"), FILES, CHECK)
    record, pool = Record(tmp_path / "record.jsonl"), Pool(config.models)

    def grade_limit(program: Program) -> Verdict:
        return Verdict.PASSED if "LIMIT = 3" in program.files["main.py"] else Verdict.FAILED

    try:
        recorder = Recorder(pool, record, {"runtime": "fake"})
        measuring = Measuring(record, config, mixture, CONDITIONS, recorder=recorder, grade=grade_limit)
        arms = make_arms(mixture, CONDITIONS.seed)
        wanted = [arms["evidence-none"], arms["checker"]]
        [results] = [found async for found in measuring.results(wanted, [raising])]
    finally:
        await pool.close()
    assert [(result.arm, result.passed) for result in results[:2]] == [("evidence-none", False), ("checker", True)]
    assert results[1].answer.signal == "checker"


async def test_an_item_without_any_candidate_counts(config: Settings, upstream: FakeUpstream, tmp_path: Path) -> None:
    """All arms answer the same items, also those on which the whole panel fails."""
    upstream.script("a", status(400))
    upstream.script("b", status(400))
    found = await measured(config, ["a", "evidence"], tmp_path / "record.jsonl")
    assert {arm: result.passed for arm, result in found.items()} == {
        "a": False,
        "evidence": False,
        ANY_CANDIDATE: False,
    }
