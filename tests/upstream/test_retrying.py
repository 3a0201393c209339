"""Retries and hedges, over real sockets."""

import asyncio
from typing import Any

import pytest

from config.settings import Model
from runtime.slots import Slots
from runtime.timers import TimerWheel
from tests.fakes import FakeUpstream, after, answer, hang, stall_mid_stream, status
from tests.running import model, no_pause
from tests.upstream.calling import call_of, failure, outcomes, pooled, text
from upstream.attempts import Route
from upstream.breaker import Breaker
from upstream.calls import Call
from upstream.errors import CallError, Kind
from upstream.http.client import Endpoint, Upstream
from upstream.openai.quirks import QuirkMemory
from upstream.retry_policy import RetryBudget
from upstream.retrying import Retrying

SOON_S, NEVER_S = 0.01, 60.0


async def wait_closed(upstream: FakeUpstream, position: int) -> None:
    """Wait until the upstream notices that a request's connection is closed."""
    await asyncio.wait_for(upstream.requests[position].disconnected.wait(), 30)


async def test_a_hedge_that_is_first_wins(upstream: FakeUpstream) -> None:
    """The second attempt's answer is used while the first one hangs, whose connection is closed."""
    upstream.script("a", hang(), answer("second"))
    slow = model("a", upstream, hedge_after_s=SOON_S)
    async with pooled(slow) as pool:
        call = call_of(pool, slow)
        assert await text(pool, call) == "second"
        await wait_closed(upstream, 0)
    assert outcomes(call) == [("cancelled", False), ("ok", True)]
    assert call.outcome == "ok"
    assert call.usage == call.attempts[1].usage is not None


async def test_a_hedge_that_is_slower_loses(upstream: FakeUpstream) -> None:
    """The first attempt answers before it, and the hedge's connection is closed."""
    gate = asyncio.Event()
    upstream.script("a", after(gate, answer("first")), hang())
    slow = model("a", upstream, hedge_after_s=SOON_S)
    async with pooled(slow) as pool:
        call = call_of(pool, slow)
        answering = asyncio.create_task(text(pool, call))
        await upstream.wait_for(2)
        gate.set()
        assert await answering == "first"
        await wait_closed(upstream, 1)
    assert outcomes(call) == [("ok", False), ("cancelled", True)]


async def test_a_hedge_that_fails_leaves_the_first_attempt_alone(upstream: FakeUpstream) -> None:
    """The other attempt is awaited, and nothing is retried."""
    gate = asyncio.Event()
    upstream.script("a", after(gate, answer("first")), status(503))
    slow = model("a", upstream, hedge_after_s=SOON_S)
    async with pooled(slow) as pool:
        call = call_of(pool, slow)
        answering = asyncio.create_task(text(pool, call))
        await upstream.wait_for(2)
        await upstream.requests[1].finished.wait()
        gate.set()
        assert await answering == "first"
    assert outcomes(call) == [("ok", False), ("server_error", True)]


async def test_when_both_fail_the_call_is_retried_without_a_hedge(upstream: FakeUpstream) -> None:
    """The two attempts count as one against `retries`, and a call is hedged once."""
    gate = asyncio.Event()
    upstream.script("a", after(gate, status(503)), status(500), after(asyncio.Event(), answer("lost")))
    slow = model("a", upstream, hedge_after_s=SOON_S, retries=1, timeout_s=0.3)
    async with pooled(slow) as pool:
        call = call_of(pool, slow)
        answering = asyncio.create_task(pool.complete(call))
        await upstream.wait_for(2)
        await upstream.requests[1].finished.wait()
        gate.set()
        with pytest.raises(CallError):
            await answering
    assert outcomes(call) == [("server_error", False), ("server_error", True), ("timeout", False)]


async def test_a_fast_answer_is_not_hedged(upstream: FakeUpstream) -> None:
    """One request is sent."""
    fast = model("a", upstream, hedge_after_s=NEVER_S)
    async with pooled(fast) as pool:
        await text(pool, call_of(pool, fast))
    assert len(upstream.requests) == 1


async def test_a_stream_is_hedged_before_its_first_content(upstream: FakeUpstream) -> None:
    """A role is not content: the second attempt's whole stream is returned."""
    upstream.script("a", stall_mid_stream(1), answer("second, whole"))
    slow = model("a", upstream, hedge_after_s=SOON_S)
    async with pooled(slow) as pool:
        call = call_of(pool, slow)
        chunks = [chunk async for chunk in pool.stream(call)]
        await wait_closed(upstream, 0)
    texts = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
    assert "".join(texts) == "second, whole"
    assert outcomes(call) == [("cancelled", False), ("ok", True)]


async def test_the_texts_of_an_attempt_and_its_hedge_are_separated(upstream: FakeUpstream) -> None:
    """Each piece comes with the number of its attempt, though both write at the same time."""
    gate = asyncio.Event()
    upstream.script("a", after(gate, answer("first, whole")), stall_mid_stream(2, step=answer("second, never whole")))
    slow = model("a", upstream, hedge_after_s=SOON_S)
    texts = {1: "", 2: ""}

    def add(attempt: int, text: str) -> None:
        texts[attempt] += text
        gate.set()

    async with pooled(slow) as pool:
        call = call_of(pool, slow)
        call.on_text = add
        assert await text(pool, call) == "first, whole"
    assert texts[1] == "first, whole"
    assert texts[2]
    assert "second, never whole".startswith(texts[2])
    assert outcomes(call) == [("ok", False), ("cancelled", True)]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_that_leaves_cancels_both(upstream: FakeUpstream, *, stream: bool) -> None:
    """No attempt outlives its call."""
    upstream.default = hang()
    slow = model("a", upstream, hedge_after_s=SOON_S)
    async with pooled(slow) as pool:
        call = call_of(pool, slow)
        answering = asyncio.create_task(anext(pool.stream(call)) if stream else pool.complete(call))
        await upstream.wait_for(2)
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering
        await wait_closed(upstream, 0)
        await wait_closed(upstream, 1)
    assert outcomes(call) == [("cancelled", False), ("cancelled", True)]
    assert call.outcome == "cancelled"


async def test_hedges_stay_within_the_budget(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hedges are the floor; the next slow call has only its first attempt."""
    refused = asyncio.Event()
    spend = RetryBudget.spend

    def watched(budget: RetryBudget, model: str) -> bool:
        allowed = spend(budget, model)
        if not allowed:
            refused.set()
        return allowed

    monkeypatch.setattr(RetryBudget, "spend", watched)
    upstream.script("a", *[hang(), answer("hedge")] * 3, after(refused, answer("first")))
    slow = model("a", upstream, hedge_after_s=SOON_S)
    async with pooled(slow) as pool:
        texts = [await text(pool, call_of(pool, slow)) for _ in range(4)]
    assert texts == ["hedge", "hedge", "hedge", "first"]
    assert len(upstream.requests) == 7


async def test_the_budget_stops_retries(upstream: FakeUpstream) -> None:
    """Three in a single call, even if its model allows more; the failure says that it is the gateway's own limit."""
    upstream.default = status(503)
    eager = model("a", upstream, retries=10)
    async with pooled(eager) as pool:
        call = call_of(pool, eager)
        with pytest.raises(CallError) as caught:
            await pool.complete(call)
    assert "says 503" in caught.value.message
    assert "the gateway's own limit" in caught.value.message
    assert call.attempts[-1].message == caught.value.message
    assert len(upstream.requests) == 4


async def test_each_model_has_its_own_floor_of_retries(upstream: FakeUpstream) -> None:
    """Models behind one key do not starve each other."""
    upstream.default = status(503)
    async with FakeUpstream(status(503)) as other:
        models = [model("a", upstream, retries=10), model("b", upstream, retries=10), model("c", other, retries=10)]
        async with pooled(*models) as pool:
            for each in models:
                await failure(pool, each)
        counts = [len(upstream.requests_for("a")), len(upstream.requests_for("b")), len(other.requests)]
    assert counts == [4, 4, 4]


async def test_a_retry_after_beyond_the_deadline_fails_at_once(upstream: FakeUpstream) -> None:
    """It would be too late, and the budget is not spent on it."""
    upstream.default = status(429, retry_after=30)
    limited = model("a", upstream, retries=10)
    async with pooled(limited) as pool:
        assert (await failure(pool, limited, deadline_s=20)).kind is Kind.RATE_LIMITED
        await failure(pool, limited, deadline_s=200)
    assert len(upstream.requests) == 1 + 4


def make_retrying(clocked: Model, on_retry: Any = lambda: None) -> tuple[Retrying, Upstream]:
    """Return the attempts at a call; the test says what each of them does."""

    async def nowhere() -> Endpoint:
        raise AssertionError

    clock = asyncio.get_running_loop().time
    upstream = Upstream(nowhere, clock=clock, timers=TimerWheel())
    route = Route(
        upstream, (), Slots(9), Slots(9), Breaker(clock), RetryBudget(clock), QuirkMemory().of(clocked), clock
    )
    call = Call(clocked, "proposer", [], {}, clock() + 60)
    return Retrying(route, call, no_pause, lambda: 0.0, on_retry), upstream


async def test_the_second_of_two_results_is_discarded() -> None:
    """If both attempts succeed in the same instant the first one counts, and the other's stream is closed."""
    both = asyncio.Event()
    discarded: list[str] = []

    async def attempting(*, hedge: bool) -> str:
        if hedge:
            asyncio.get_running_loop().call_soon(both.set)
        await both.wait()
        return "hedge" if hedge else "first"

    async def discard(result: str) -> None:
        discarded.append(result)

    attempts, upstream = make_retrying(model("a", "http://unused", hedge_after_s=SOON_S))
    winner = await attempts.first_good(attempting, discard)
    await upstream.close()
    assert (winner, discarded) == ("first", ["hedge"])


async def test_an_unexpected_exception_is_not_a_failed_attempt() -> None:
    """It is raised at once, and the other attempt is cancelled."""
    cancelled = asyncio.Event()

    async def attempting(*, hedge: bool) -> str:
        if hedge:
            raise ZeroDivisionError
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return ""

    async def discard(_: str) -> None:
        raise AssertionError

    attempts, upstream = make_retrying(model("a", "http://unused", hedge_after_s=SOON_S))
    with pytest.raises(ZeroDivisionError):
        await attempts.first_good(attempting, discard)
    await upstream.close()
    assert cancelled.is_set()


async def test_each_retry_is_reported() -> None:
    """Before its pause; the call records the instant of the first."""
    reported: list[float | None] = []

    def on_retry() -> None:
        reported.append(attempts.call.retrying_since)

    async def attempting(*, hedge: bool) -> str:
        raise CallError(Kind.TIMEOUT, "slow")

    async def discard(_: str) -> None:
        raise AssertionError

    attempts, upstream = make_retrying(model("a", "http://unused", retries=2), on_retry)
    with pytest.raises(CallError, match="slow"):
        await attempts.first_good(attempting, discard)
    await upstream.close()
    assert reported == [attempts.call.retrying_since] * 2 != [None] * 2
