"""From candidates to a ranking, with the code run in a sandbox."""

import asyncio

import pytest

from runtime.sandbox.monty import MontySandbox
from runtime.workers import WorkerPool
from synth.contract.contract import derive_contract
from synth.evidence import computing
from synth.evidence.finder import Finder
from synth.evidence.inquiry import Subject
from tests.runtime.sandbox.boxes import PATIENT
from tests.synth.evidence.inquiries import (
    ANY,
    ASK,
    BAD,
    BROKEN,
    GOOD,
    HALF,
    Broken,
    Counting,
    block,
    ranked,
    request,
)
from tests.synth.small_evidence import open_inquiry


async def test_candidates_are_ranked_by_their_behaviour(monty: MontySandbox) -> None:
    """The one that passes all examples is best, and every other has its finding."""
    found = await ranked(Finder([monty], limits=PATIENT, request_s=600), [HALF, BAD, GOOD, BROKEN])
    assert [standing.tier for standing in found.standings] == [1, 2, 0, 3]
    assert [standing.passed_all for standing in found.standings] == [False, False, True, False]
    assert (found.by, found.n_ran, found.n_passed, found.n_unknown) == ("examples", 4, 1, 0)
    assert (found.standings[0].failed or "").startswith("`largest([]) == 0`: ValueError: ")
    assert found.standings[3].finding.startswith("does not load: SyntaxError")


async def test_a_request_that_cannot_be_read_gives_no_evidence(
    monty: MontySandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of our own is logged, and the request is answered without evidence."""

    async def fail(*_: object) -> None:
        raise KeyError("a")

    finder = Finder([monty])
    monkeypatch.setattr(finder, "_read_request", fail)
    found = await ranked(finder, [GOOD, BAD])
    assert (found.by, found.n_ran, len(found.standings)) == ("", 0, 2)


async def test_equal_outcomes_are_run_once(monty: MontySandbox) -> None:
    """The same code of several authors is one trial."""
    counting = Counting(inner=monty)
    found = await ranked(Finder([counting], limits=PATIENT, request_s=600), [GOOD, GOOD, GOOD])
    assert counting.n_trials == 1
    assert [standing.passed_all for standing in found.standings] == [True] * 3
    assert found.by == ""


@pytest.mark.parametrize("ask", ["Name a `list` function.", "Translate `f(x)` to French.", "Is Python fast?"])
@pytest.mark.parametrize("codes", [["Yes.", "No."], ["x = 1", "def f(x: int):\n    return x"]])
async def test_answers_without_a_common_function_are_not_run(ask: str, codes: list[str], monty: MontySandbox) -> None:
    """The request mentions code, and its answers have nothing that can be compared."""
    counting = Counting(inner=monty)
    found = await ranked(Finder([counting]), codes, ask=ask)
    assert (counting.n_trials, found.by, found.n_ran) == (0, "", 0)


@pytest.mark.parametrize(
    "ask", [ANY, "How do I add two numbers in Python?", "Write me a function that adds (two ints)"]
)
async def test_code_in_answers_to_a_question_is_compared(ask: str, monty: MontySandbox) -> None:
    """Whether or not the request demands nothing but code: the function is the one that all answers define."""
    codes = [f"def add(a: int, b: int) -> int:\n    return {x}" for x in ("a * b", "a + b", "b + a")]
    found = await ranked(Finder([monty], limits=PATIENT, request_s=600), codes, ask=ask)
    assert ([standing.tier for standing in found.standings], found.by) == ([1, 0, 0], "agreement")
    assert not found.is_tested


async def test_a_single_answer_has_nothing_to_be_compared_with(monty: MontySandbox) -> None:
    """It is run only if the request shows an example."""
    counting = Counting(inner=monty)
    found = await ranked(Finder([counting]), ["def add(a: int, b: int):\n    return a + b"], ask=ANY)
    assert (counting.n_trials, found.n_ran) == (0, 0)


async def test_a_task_learnt_from_answers_is_kept_for_the_next_stage(monty: MontySandbox) -> None:
    """A second ranking runs only the new candidates."""
    counting, asked = Counting(inner=monty), request(ANY)
    finder = Finder([counting], limits=PATIENT, request_s=600)
    async with open_inquiry(finder.inquire(asked, derive_contract(asked), "auto", 1e12)) as inquiry:
        for number, operator in enumerate("*+-"):
            source = f"def add(a: int, b: int) -> int:\n    return a {operator} b"
            inquiry.add(Subject(operator, number, block(source), operator))
            found = await inquiry.rank("*+-")
            n_compared = number + 1 if number else 0
            assert (found.n_ran, counting.n_trials) == (n_compared, n_compared)


async def test_a_result_of_monty_is_not_run_again(monty: MontySandbox) -> None:
    """A failure is a failure; no other sandbox is asked about it."""
    other = Counting("namespaces", inner=monty)
    await ranked(Finder([monty, other], limits=PATIENT, request_s=600), [HALF, BROKEN, GOOD], level="full")
    assert other.n_trials == 0


async def test_a_broken_sandbox_leaves_the_ranking() -> None:
    """Candidates keep the operator's ranking if nothing can be run."""
    found = await ranked(Finder([Broken()]), [BROKEN, GOOD])
    assert [standing.tier for standing in found.standings] == [0, 0]
    assert [standing.finding for standing in found.standings] == ["", ""]


async def test_time_that_is_over_is_not_overrun(monty: MontySandbox) -> None:
    """No trial begins after the deadline or after the request's own share."""
    counting = Counting(inner=monty)
    await ranked(Finder([counting], clock=lambda: 10.0), [GOOD], deadline=10.0)
    await ranked(Finder([counting], request_s=0.0), [GOOD])
    assert counting.n_trials == 0


async def test_leaving_ends_running_trials() -> None:
    """A client that disconnects leaves no trial behind."""
    asked, counting = request(), Counting()
    async with open_inquiry(Finder([counting]).inquire(asked, derive_contract(asked), "auto", 1e12)) as inquiry:
        inquiry.add(Subject("a", "model", block(GOOD), 1))
        await counting.has_begun.wait()
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "evidence"] == []


@pytest.mark.parametrize(("n_chars", "n_started"), [(100, 0), (50_000, 1)])
@pytest.mark.parametrize("ask", [ASK, ANY])
async def test_long_answers_are_read_in_a_worker(
    ask: str, n_chars: int, n_started: int, monty: MontySandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither their plan nor the function that they have in common stalls other requests."""
    monkeypatch.setattr(computing, "_LIMIT_S", 600.0)
    workers = WorkerPool(size=1)
    comment = "# " + "x" * n_chars
    try:
        codes = [
            f"{comment}\ndef add(a: int, b: int):\n    return a + b",
            f"{comment}\ndef add(a: int, b: int):\n    pass",
        ]
        await ranked(Finder([monty], limits=PATIENT, request_s=600, workers=workers), codes, ask=ask)
        assert workers.n_started == n_started
    finally:
        await workers.close()


@pytest.mark.parametrize(
    ("codes", "tiers", "by"),
    [
        ([f"def add(a: int, b: int):\n    return {x}" for x in ("a - b", "a + b", "b + a")], [1, 0, 0], "agreement"),
        (["def add(a, b):\n    return c", "def add(a, b):\n    return a + b"], [0, 0], ""),
        (["def add(a: int, b: int):\n    return c", "def add(a: int, b: int):\n    return a + b"], [1, 0], "alive"),
        (["def add(a, b):\n    return a", "def plus(a, b):\n    return a + b"], [0, 0], ""),
    ],
)
async def test_a_function_that_all_candidates_define(
    codes: list[str], tiers: list[int], by: str, monty: MontySandbox
) -> None:
    """If the request names none, candidates are compared on the function that they have in common."""
    found = await ranked(Finder([monty], limits=PATIENT, request_s=600), codes, ask=ANY)
    assert ([standing.tier for standing in found.standings], found.by) == (tiers, by)
