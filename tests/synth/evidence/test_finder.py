"""The inquiry for a request: its task, its time, and its sandboxes."""

import asyncio

import pytest

from runtime.sandbox.monty import MontySandbox
from synth.contract.contract import derive_contract
from synth.evidence.examples import Example
from synth.evidence.finder import Finder
from synth.evidence.inquiry import Subject
from synth.request import ChatRequest
from tests.runtime.sandbox.boxes import PATIENT
from tests.synth.evidence.inquiries import (
    ASK,
    GOOD,
    HALF,
    LACKING,
    Counting,
    ranked,
    request,
)
from tests.synth.small_evidence import open_inquiry


@pytest.mark.parametrize(
    "ask",
    ["Why is the sky blue?", "Say hello (briefly).", "A firm (IBM) gives money, and Bob (5) is tall.", ""],
)
async def test_a_request_without_code_has_no_inquiry(ask: str) -> None:
    """Nothing is started for prose."""
    asked = request(ask)
    assert await Finder([Counting()]).inquire(asked, derive_contract(asked), "auto", 1e12) is None


async def test_a_conversation_is_read_as_a_whole(monty: MontySandbox) -> None:
    """One answer that passes what was asked for at first settles what the last message leaves open."""
    turns = [("user", ASK), ("assistant", "```python\ndef largest(xs):\n    return 0\n```"), ("user", "That is wrong.")]
    asked = ChatRequest(None, [{"role": role, "content": content} for role, content in turns], {})
    finder = Finder([monty], limits=PATIENT, request_s=600)
    async with open_inquiry(finder.inquire(asked, derive_contract(asked), "auto", 1e12)) as inquiry:
        for name, code, passes in (("half", HALF, False), ("good", GOOD, True)):
            inquiry.add(Subject(name, name, f"```python\n{code}\n```", name))
            found = await inquiry.rank(["half", "good"])
            assert await inquiry.can_rank()
            assert found.standing(name).passed_all is passes


@pytest.mark.parametrize("result", ["should be 4", "returns 4", "= 4", "==4", "has to return 4", "is `4`", "-> 4"])
async def test_prose_that_names_no_language_may_show_examples(result: str, monty: MontySandbox) -> None:
    """A call and its result are enough."""
    ask = f"Write twice, which doubles: twice(2) {result}."
    finder = Finder([monty], limits=PATIENT, request_s=600)
    found = await ranked(finder, [f"def twice(x):\n    return {code}" for code in ("x + 1", "x + x")], ask=ask)
    assert found.by == "examples"


async def test_a_request_is_read_after_its_calls_have_left() -> None:
    """Tasks that are made directly after `inquire` run first."""
    order: list[str] = []

    async def call() -> None:
        order.append("call")

    def choose(examples: tuple[Example, ...]) -> tuple[Example, ...]:
        order.append("read")
        return examples

    asked, finder = request(), Finder([], choose_examples=choose)
    async with open_inquiry(finder.inquire(asked, derive_contract(asked), "auto", 1e12)) as inquiry:
        calls = [asyncio.create_task(call()) for _ in range(3)]
        await asyncio.gather(*calls)
        assert await inquiry.can_rank()
    assert order == ["call"] * 3 + ["read"]


@pytest.mark.parametrize(("level", "n_trials"), [("auto", 0), ("shadow", 0), ("full", 1)])
async def test_only_full_uses_the_other_sandboxes(level: str, n_trials: int, monty: MontySandbox) -> None:
    """Code that Monty lacks goes to the next sandbox only with `full`."""
    other = Counting("namespaces", inner=monty)
    found = await ranked(Finder([monty, other], limits=PATIENT, request_s=600), [LACKING], level=level)
    assert other.n_trials == n_trials
    assert found.n_unknown == 1
    assert found.standings[0].finding.startswith("could not be run")


async def test_can_rank_says_whether_there_are_examples() -> None:
    """Without examples single candidates cannot be told apart."""
    for text, expected in [(ASK, True), ("def f(x: int):\n    pass", False)]:
        asked = request(text)
        async with open_inquiry(Finder([]).inquire(asked, derive_contract(asked), "auto", 1e12)) as inquiry:
            assert await inquiry.can_rank() is expected
