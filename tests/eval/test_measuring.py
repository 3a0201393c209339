"""Every arm answers the same recorded panel through the real pipeline, and is graded and counted."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.settings import Critic, Settings, Verify
from eval.arms import arms_of
from eval.asking import Conditions, seconds_of
from eval.items import Item
from eval.measuring import Measuring, Result
from eval.record import Record, RecordedPool
from runtime.sandbox.programs import Program, Verdict
from tests.fakes import FakeUpstream, answer, from_request
from tests.running import model, settings
from upstream.calls import Attempt, Call

CONDITIONS = Conditions(seed=1, max_tokens=100)
RIGHT, WRONG = "```python\nx = 1\n```", "```python\nx = 2\n```"


def item(name: str) -> Item:
    """Return an item that is passed by the code x = 1."""
    asked = f"Reply with only one code block, please. {name}"
    return Item("toys", name, [{"role": "user", "content": asked}], lambda text: Program({"main.py": text}, "main.py"))


def grade(program: Program) -> Verdict:
    """Grade without running anything."""
    return Verdict.PASSED if "x = 1" in program.files["main.py"] else Verdict.FAILED


async def measured(config: Settings, names: list[str], path: Path, **options: Any) -> dict[str, Result]:
    """Return the results of some arms for one item, by arm."""
    provenance = {"seed": 1, "config": "c", "runtime": "fake"}
    pool = RecordedPool(config.models, Record(path), provenance=provenance, **options)
    try:
        mixture = config.mixtures[0]
        arms = arms_of(mixture, CONDITIONS.seed)
        measuring = Measuring(pool, config, mixture, CONDITIONS, grade=grade)
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


async def test_the_random_member_is_drawn_by_the_seed(config: Settings) -> None:
    """The same seed draws the same members, and in the long run all of them."""
    items = [item(str(number)) for number in range(40)]
    drawn = arms_of(config.mixtures[0], 5)["random"].model
    again = arms_of(config.mixtures[0], 5)["random"].model
    assert drawn is not None
    assert again is not None
    assert [drawn(each) for each in items] == [again(each) for each in items]
    assert {drawn(each) for each in items} == {"a", "b"}


def test_time_is_that_of_the_longest_call_of_each_round(config: Settings) -> None:
    """Two calls side by side, one that nobody waited for, then one more: 5 + 3 seconds, not 4 + 5 + 9 + 3."""

    def lasted(start: float, seconds: float, outcome: str = "ok") -> Call:
        call = Call(config.models[0], "proposer", [], {}, deadline=0.0, started=start, ended=start + 0.1, alias="")
        call.outcome = outcome
        call.attempts.append(Attempt(start, start + seconds))
        return call

    calls = [lasted(0.0, 4.0), lasted(0.01, 5.0), lasted(0.02, 9.0, "cancelled"), lasted(0.2, 3.0)]
    assert seconds_of(calls) == pytest.approx(8.0)
    assert seconds_of([]) == 0.0


async def test_the_dearer_arms_answer_too(config: Settings, upstream: FakeUpstream, tmp_path: Path) -> None:
    """A draft that is looked at again, and one member asked several times, each with a seed of its own."""
    mixture = replace(config.mixtures[0], verify=Verify("b"))
    verified = replace(config, mixtures=(mixture,))
    found = await measured(verified, ["fuse", "fuse+verify", "samples"], tmp_path / "record.jsonl")
    assert found["fuse+verify"].answer.n_calls > found["fuse"].answer.n_calls
    assert found["samples"].answer.text == WRONG
    seeds = [request.body["seed"] for request in upstream.requests_for("a")]
    assert sorted(seeds) == [1, 2, 3, 4]
    assert "fuse+verify" not in arms_of(config.mixtures[0], CONDITIONS.seed)
