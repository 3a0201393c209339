"""A consultation of a running gateway."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from config.settings import Critic
from handlers.mcp.consult import Consultant, Question, describe_mixtures
from handlers.mcp.files import FileProblem
from tests.fakes import FakeUpstream, Step, answer, from_request, status
from tests.fakes.breaks import after, hang
from tests.running import Gateway, model, running, settings
from upstream.gateway_client import GatewayClient, GatewayError

COMPARISON = "- the number: A says one thing, B another"
ASKED_TO_COMPARE = "points on which these answers disagree"


def critic(verdict: str | Step = "Both.", comparison: str | Step = COMPARISON) -> Step:
    """Answer as the critic, or compare if that is the task."""
    return from_request(lambda body: comparison if ASKED_TO_COMPARE in json.dumps(body["messages"]) else verdict)


@asynccontextmanager
async def gateway_of(upstream: FakeUpstream, **mixture: Any) -> AsyncGenerator[Gateway]:
    """Run a gateway with the members a, b and d, of which d fails, and the critic c."""
    upstream.script("a", answer("One."))
    upstream.script("b", answer("Two."))
    upstream.script("c", critic())
    upstream.script("d", status(400, body={"error": {"message": "no credit"}}))
    models = [model(name, upstream, retries=0) for name in ("a", "b", "c", "d")]
    async with running(settings(models, **{"panel": ("a", "b", "d"), "critic": Critic("c"), **mixture})) as gateway:
        yield gateway


async def never(_: float) -> None:
    await asyncio.Event().wait()


async def consulted(
    gateway: Gateway, question: Question | str = "Why?", *, steps: list[str] | None = None, folder: Path = Path()
) -> str:
    async def report(step: str) -> None:
        if steps is not None:
            steps.append(step)

    async with GatewayClient(gateway.url) as client:
        consultant = Consultant(client, folder, sleep=never)
        return await consultant.consult(Question(question) if isinstance(question, str) else question, report)


def letters(report: str) -> dict[str, str]:
    """Return the letter of each member in a report."""
    heads = [line.partition(" (")[0] for line in report.split("\n") if line[:3] in ("A, ", "B, ")]
    return {name: letter for letter, _, name in (head.partition(", ") for head in heads)}


async def test_the_report_has_the_answer_each_members_answer_and_their_disagreements(upstream: FakeUpstream) -> None:
    """Letters of the comparison are those of the members; each step is reported."""
    steps: list[str] = []
    async with gateway_of(upstream) as gateway:
        report = await consulted(gateway, steps=steps)
    assert report.startswith("Both.\n\n---\nHow it was decided: written by the critic c (4 calls, ")
    assert "\n> One.\n" in report
    assert "\n> Two.\n" in report
    assert "d gave no answer: rejected: no credit" in report
    assert f"Where they disagree:\n\n{COMPARISON}\n" in report
    (compared,) = [
        request.body["messages"][0]["content"]
        for request in upstream.requests_for("c")
        if ASKED_TO_COMPARE in json.dumps(request.body)
    ]
    for name, text in (("a", "One."), ("b", "Two.")):
        assert f"===== BEGIN {letters(report)[name]} " in compared.partition(text)[0].rpartition("=====\n")[0] + "====="
        assert compared.partition(text)[0].rstrip().rpartition("BEGIN ")[2].startswith(letters(report)[name])
    assert steps[0] == "asking a, b, d"
    assert {"d failed: rejected: no credit (1 of 3)", "c reads 2 answers"} & set(steps)


async def test_the_panel_sees_question_context_and_files(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Files between fences that their text cannot close; the comparison sees the question alone."""
    (tmp_path / "a.md").write_text("```\ncode\n```")
    question = Question(" Why? ", "It fails.", ["a.md"], "mom")
    async with gateway_of(upstream) as gateway:
        await consulted(gateway, question, folder=tmp_path)
    content = upstream.requests_for("a")[0].body["messages"][0]["content"]
    assert content == "Why?\n\nContext:\n\nIt fails.\n\na.md\n````\n```\ncode\n```\n````"
    (comparison,) = [each.raw.decode() for each in upstream.requests if ASKED_TO_COMPARE in each.raw.decode()]
    assert "It fails." not in comparison


async def test_the_comparison_runs_beside_the_critic(upstream: FakeUpstream) -> None:
    """So it adds to the cost, and hardly to the wait."""
    compared = asyncio.Event()

    def compare(body: Any) -> Any:
        compared.set()
        return answer(COMPARISON)(body)

    async with gateway_of(upstream) as gateway, asyncio.timeout(30):
        upstream.script("c", critic(after(compared, answer("Both.")), compare))
        assert "Both." in await consulted(gateway)


async def test_a_failed_comparison_costs_nothing_but_itself(upstream: FakeUpstream) -> None:
    """The answer was paid for; the report has it, and the reason why the comparison is missing."""
    async with gateway_of(upstream) as gateway:
        upstream.script("c", critic(comparison=status(400, body={"error": {"message": "too long"}})))
        report = await consulted(gateway)
    assert report.startswith("Both.")
    assert "(not compared: " in report
    assert "too long" in report


@pytest.mark.parametrize(
    ("mixture", "texts", "words"),
    [
        ({}, ("Same.", "Same."), "Where they disagree:\n\nThey agree."),
        ({"mode": "first", "panel": ("a", "b")}, ("One.", "Two."), "the first valid answer"),
        ({"mode": "direct"}, ("One.", "Two."), "written by c without answers of a panel"),
    ],
)
async def test_nothing_is_compared_without_need(
    upstream: FakeUpstream, mixture: dict[str, Any], texts: tuple[str, str], words: str
) -> None:
    """Not if all answers are the same, nor with a single answer, nor without a panel."""
    async with gateway_of(upstream, **mixture) as gateway:
        for name, text in zip("ab", texts, strict=True):
            upstream.script(name, answer(text))
        report = await consulted(gateway)
    assert words in report
    assert not [each for each in upstream.requests if ASKED_TO_COMPARE in each.raw.decode()]


async def test_failures_are_the_gateways_words(upstream: FakeUpstream, tmp_path: Path) -> None:
    """No exception group, no traceback: one sentence that an agent can act on."""
    async with gateway_of(upstream) as gateway:
        with pytest.raises(GatewayError, match="unknown model 'nobody'; available: mom"):
            await consulted(gateway, Question("Why?", mixture="nobody"))
        with pytest.raises(FileProblem, match="not a file"):
            await consulted(gateway, Question("Why?", files=["none"]), folder=tmp_path)
        for name in "abc":
            upstream.script(name, status(400, body={"error": {"message": "broken for good"}}))
        with pytest.raises(GatewayError, match="a: broken for good"):
            await consulted(gateway)


async def test_a_cancelled_consultation_is_cancelled_upstream(upstream: FakeUpstream) -> None:
    """Critic and comparison end as well, so that no unread answer is paid for."""
    async with gateway_of(upstream) as gateway:
        upstream.script("c", hang())
        consulting = asyncio.create_task(consulted(gateway))
        requests = [each for each in await upstream.wait_for(5) if each.model == "c"]
        consulting.cancel()
        await asyncio.wait([consulting])
        await asyncio.gather(*(request.disconnected.wait() for request in requests))
    assert len(requests) == 2


async def test_waiting_is_reported(upstream: FakeUpstream) -> None:
    """With the members who are waited for, so that a client does not give up."""
    steps: list[str] = []
    only_one_is_left, waited = asyncio.Event(), asyncio.Event()

    async def report(step: str) -> None:
        steps.append(step)
        if step.endswith("(2 of 3)"):
            only_one_is_left.set()
        if step == "waiting for a (10 s)":
            waited.set()

    async def sleep(_: float) -> None:
        await only_one_is_left.wait()
        await asyncio.sleep(0 if not waited.is_set() else 3600)

    async with gateway_of(upstream) as gateway, GatewayClient(gateway.url) as client, asyncio.timeout(30):
        upstream.script("a", after(waited, answer("One.")))
        await Consultant(client, Path(), sleep=sleep).consult(Question("Why?"), report)
    assert [step for step in steps if step.startswith("waiting")] == ["waiting for a (5 s)", "waiting for a (10 s)"]


async def test_mixtures_are_described(upstream: FakeUpstream) -> None:
    """The default first; single models as well."""
    async with gateway_of(upstream) as gateway, GatewayClient(gateway.url) as client:
        described = describe_mixtures(await client.list_models())
    assert described == (
        "- mom (default): panel a, b, d; critic c; mode auto\nSingle models, which can be asked as well: a, b, c, d"
    )
