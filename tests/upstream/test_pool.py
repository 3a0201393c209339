"""The pool with faulty upstreams, over real sockets: breakers, timeouts, slots, gathering."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.settings import Model, Secret
from tests.fakes import (
    FakeUpstream,
    after,
    answer,
    context_length,
    drop_before,
    drop_mid_body,
    garbage,
    hang,
    hang_body,
    refusing,
    stall_mid_stream,
    status,
    stream_without_finish,
    unanswering,
)
from tests.running import KEY, model
from tests.upstream.calling import call_of, failure, pooled, text
from tests.upstream.clocks import Clock, settle
from upstream.breaker import State, Status
from upstream.errors import CallError, Kind
from upstream.pool import Pool

CLOSED = Status(State.CLOSED)


async def fail(pool: Pool, asked: Model, times: int) -> list[Kind]:
    return [(await failure(pool, asked)).kind for _ in range(times)]


async def test_a_breaker_opens_probes_and_closes(upstream: FakeUpstream) -> None:
    """After five failures no calls for 15 seconds; the probe fails: 30 more; the next one succeeds: closed."""
    upstream.script("a", *[status(500)] * 6, answer("well again"))
    asked = model("a", upstream, retries=0)
    clock = Clock()
    async with pooled(asked, clock=clock) as pool:
        with capture_logs() as logs:
            assert await fail(pool, asked, 5) == [Kind.SERVER_ERROR] * 5
            refused = await failure(pool, asked)
            assert (refused.kind, refused.retry_after_s) == (Kind.BREAKER_OPEN, 15)
            assert refused.message.startswith("not asked for another 15 s: 5 failures in a row, the last: The fake")
            assert pool.breakers()["a"].state is State.OPEN
            clock.now += 15
            assert await fail(pool, asked, 2) == [Kind.SERVER_ERROR, Kind.BREAKER_OPEN]
            assert len(upstream.requests) == 6
            clock.now += 29
            assert (await failure(pool, asked)).retry_after_s == 1
            clock.now += 1
            assert await text(pool, call_of(pool, asked)) == "well again"
            assert pool.breakers() == {"a": CLOSED}
    told = [(log["event"], log["log_level"]) for log in logs if log["event"].startswith("breaker")]
    opened, half, closed = ("breaker open", "warning"), ("breaker half open", "info"), ("breaker closed", "info")
    assert told == [opened, half, opened, half, closed]


async def test_a_half_open_breaker_admits_one_call(upstream: FakeUpstream) -> None:
    """Others fail at once while it runs; if it is cancelled, the next one is admitted."""
    gate = asyncio.Event()
    upstream.script("a", *[status(500)] * 5, hang(), after(gate, answer("well")))
    asked = model("a", upstream, retries=0)
    clock = Clock()
    async with pooled(asked, clock=clock) as pool:
        await fail(pool, asked, 5)
        clock.now += 15
        probing = asyncio.create_task(text(pool, call_of(pool, asked)))
        await upstream.wait_for(6)
        assert await fail(pool, asked, 3) == [Kind.BREAKER_OPEN] * 3
        probing.cancel()
        await asyncio.wait([probing])
        probing = asyncio.create_task(text(pool, call_of(pool, asked)))
        await upstream.wait_for(7)
        assert await fail(pool, asked, 3) == [Kind.BREAKER_OPEN] * 3
        gate.set()
        assert await probing == "well"
        assert pool.breakers() == {"a": CLOSED}


@pytest.mark.parametrize("step", [status(500), status(408), garbage(), drop_before(), drop_mid_body()])
async def test_failures_of_the_upstream_count(upstream: FakeUpstream, step: Any) -> None:
    """Five of them open the breaker."""
    upstream.default = step
    asked = model("a", upstream, retries=0)
    async with pooled(asked) as pool:
        await fail(pool, asked, 5)
        assert pool.breakers()["a"].state is State.OPEN


async def test_connecting_and_silence_count() -> None:
    """A refused connection, and a server that never replies."""
    async with FakeUpstream(hang()) as silent:
        with refusing() as nowhere:
            models = [model("a", nowhere, retries=0), model("b", silent, retries=0, timeout_s=0.05)]
            async with pooled(*models) as pool:
                assert await fail(pool, models[0], 5) == [Kind.CONNECT] * 5
                assert await fail(pool, models[1], 5) == [Kind.TIMEOUT] * 5
                assert {status.state for status in pool.breakers().values()} == {State.OPEN}


async def test_a_stream_that_breaks_counts(upstream: FakeUpstream) -> None:
    """Even after its first content."""
    upstream.default = stream_without_finish("half")
    asked = model("a", upstream)
    async with pooled(asked) as pool:
        for _ in range(5):
            with pytest.raises(CallError, match="finish_reason"):
                await read(pool, asked)
        assert pool.breakers()["a"].state is State.OPEN


async def read(pool: Pool, asked: Model) -> str:
    async with aclosing(pool.stream(call_of(pool, asked))) as chunks:
        return "".join([choice["delta"].get("content") or "" async for chunk in chunks for choice in chunk["choices"]])


@pytest.mark.parametrize("step", [status(400), status(404), status(422), context_length(), status(429)])
async def test_other_failures_never_open_a_breaker(upstream: FakeUpstream, step: Any) -> None:
    """The request's own faults, and a rate limit: neither this model's nor that of another one of the upstream."""
    upstream.script("a", step)
    asked, other = model("a", upstream, retries=0), model("b", upstream)
    async with pooled(asked, other) as pool:
        await fail(pool, asked, 30)
        assert await text(pool, call_of(pool, other))
        assert pool.breakers() == {"a": CLOSED, "b": CLOSED}
    assert len(upstream.requests_for("a")) == 30


async def test_clients_that_leave_do_not_open_a_breaker(upstream: FakeUpstream) -> None:
    """However many in a row."""
    upstream.default = hang()
    asked = model("a", upstream)
    async with pooled(asked) as pool:
        for n_requests in range(1, 8):
            asking = asyncio.create_task(text(pool, call_of(pool, asked)))
            await upstream.wait_for(n_requests)
            asking.cancel()
            await asyncio.wait([asking])
        assert pool.breakers() == {"a": CLOSED}


@pytest.mark.parametrize("code", [401, 403])
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "the key from FAKE_API_KEY was refused"),
        ({"api_key": None, "headers": {"X-Key": Secret(KEY, "HEADER_KEY")}}, "the key from HEADER_KEY was refused"),
        ({"api_key": None}, "a key is required, and none is configured"),
    ],
)
async def test_a_refused_key_is_named_by_its_source(
    upstream: FakeUpstream, code: int, fields: dict[str, Any], says: str
) -> None:
    """The breaker opens at once; its reason contains the variable, and never the key."""
    upstream.default = status(code, body={"error": {"message": f"Bad key {KEY}"}})
    asked = model("a", upstream, **fields)
    async with pooled(asked) as pool:
        assert await fail(pool, asked, 1) == [Kind.AUTH]
        reason = pool.breakers()["a"].reason
        refused = await failure(pool, asked)
    assert reason.startswith(f"{says} (HTTP {code}: Bad key ")
    assert reason in refused.message
    assert KEY not in reason or fields == {"api_key": None}
    assert len(upstream.requests) == 1


async def test_breakers_are_kept_by_upstream_and_model_id(upstream: FakeUpstream) -> None:
    """Two names for one model share it; another model of the upstream, and the same id elsewhere, do not."""
    async with FakeUpstream() as elsewhere:
        first, alias = model("first", upstream, model="x", retries=0), model("alias", upstream, model="x")
        other, same_id = model("other", upstream), model("same id", elsewhere, model="x")
        upstream.script("x", status(500))
        async with pooled(first, alias, other, same_id) as pool:
            await fail(pool, first, 5)
            assert [name for name, status in pool.breakers().items() if status.state is State.OPEN] == [
                "first",
                "alias",
            ]
            assert await fail(pool, alias, 1) == [Kind.BREAKER_OPEN]
            assert await text(pool, call_of(pool, other)) == await text(pool, call_of(pool, same_id))


async def test_a_call_whose_retries_open_the_breaker_reports_the_upstream_s_fault(upstream: FakeUpstream) -> None:
    """It is not retried then, and its failure is the cause, not that the breaker is open."""
    upstream.default = status(503)
    asked = model("a", upstream, retries=0)
    eager = model("b", upstream, model="a", retries=3)
    async with pooled(asked, eager) as pool:
        await fail(pool, asked, 3)
        assert await fail(pool, eager, 1) == [Kind.SERVER_ERROR]
        assert pool.breakers()["b"].state is State.OPEN
    assert len(upstream.requests) == 5


async def test_a_breaker_that_opens_during_a_pause_keeps_the_first_failure(upstream: FakeUpstream) -> None:
    """The call is not retried, and its failure is the upstream's."""
    upstream.default = status(503)
    asked, other = model("a", upstream, model="x", retries=1), model("b", upstream, model="x", retries=0)

    async def others_fail(_: float) -> None:
        await fail(pool, other, 4)

    async with pooled(asked, other, sleep=others_fail) as pool:
        error = await failure(pool, asked)
    assert (error.kind, error.message) == (Kind.SERVER_ERROR, "The fake upstream says 503.")
    assert len(upstream.requests) == 5


async def test_a_call_that_gets_no_slot_in_time_is_no_attempt(upstream: FakeUpstream) -> None:
    """It fails at its deadline, and counts neither for nor against the model."""
    upstream.default = hang()
    asked = model("a", upstream, max_concurrency=1)
    async with pooled(asked) as pool:
        holding = asyncio.create_task(text(pool, call_of(pool, asked)))
        await upstream.wait_for(1)
        waiting = call_of(pool, asked, deadline_s=0.05)
        with pytest.raises(CallError, match="before the call could start"):
            await pool.complete(waiting)
        assert waiting.attempts == []
        assert pool.breakers() == {"a": CLOSED}
        holding.cancel()
        await asyncio.wait([holding])


async def test_an_open_breaker_does_not_wait_for_a_slot(upstream: FakeUpstream) -> None:
    """The call fails at once, even if all slots are taken."""
    upstream.script("a", *[status(500)] * 4, hang())
    asked = model("a", upstream, retries=0, max_concurrency=1, timeout_s=30)
    alias = model("b", upstream, model="a", retries=0)
    async with pooled(asked, alias) as pool:
        await fail(pool, asked, 4)
        holding = asyncio.create_task(text(pool, call_of(pool, asked)))
        await upstream.wait_for(5)
        upstream.script("a", status(500))
        await fail(pool, alias, 1)
        assert await fail(pool, asked, 1) == [Kind.BREAKER_OPEN]
        holding.cancel()
        await asyncio.wait([holding])


async def test_connecting_has_its_own_time_out() -> None:
    """A host that accepts no connection fails the attempt long before its own timeout."""
    with unanswering() as base_url:
        asked = model("a", base_url, retries=0, connect_timeout_s=0.05, timeout_s=60)
        async with pooled(asked) as pool:
            error = await failure(pool, asked)
    assert (error.kind, error.message) == (Kind.TIMEOUT, "no connection in time")


async def test_the_first_byte_has_its_own_time_out(upstream: FakeUpstream) -> None:
    """An upstream that never begins to reply notices that the connection is closed."""
    upstream.default = hang()
    asked = model("a", upstream, retries=0, first_byte_timeout_s=0.05, timeout_s=60)
    async with pooled(asked) as pool:
        error = await failure(pool, asked)
        await asyncio.wait_for(upstream.requests[0].disconnected.wait(), 30)
    assert (error.kind, error.message) == (Kind.TIMEOUT, "no first byte within 0.05 s")


@pytest.mark.parametrize("stream", [False, True])
async def test_silence_has_its_own_time_out(upstream: FakeUpstream, *, stream: bool) -> None:
    """A reply that stops after its headers, or in the middle of the stream."""
    upstream.default = stall_mid_stream(3) if stream else hang_body()
    asked = model("a", upstream, retries=0, idle_timeout_s=0.05, timeout_s=60)
    async with pooled(asked) as pool:
        with pytest.raises(CallError) as caught:
            await (read(pool, asked) if stream else text(pool, call_of(pool, asked)))
        await asyncio.wait_for(upstream.requests[0].disconnected.wait(), 30)
    assert (caught.value.kind, caught.value.message) == (Kind.TIMEOUT, "the reply paused for more than 0.05 s")


async def test_the_time_before_the_first_byte_is_not_idle(upstream: FakeUpstream) -> None:
    """`idle_timeout_s` starts with the reply."""
    upstream.default = answer("at last", delay_s=0.7)
    asked = model("a", upstream, retries=0, idle_timeout_s=0.5)
    async with pooled(asked) as pool:
        assert await text(pool, call_of(pool, asked)) == "at last"


async def test_leaving_a_gathering_cancels_the_rest(upstream: FakeUpstream) -> None:
    """Outcomes are returned as calls settle, none after the limit, and leaving closes the other connections."""
    upstream.script("a", answer("quick"))
    upstream.script("b", hang())
    models = [model(name, upstream) for name in "ab"]
    async with pooled(*models) as pool:
        calls = [call_of(pool, each) for each in models]
        async with pool.gather(calls) as gathering:
            settled = await gathering.next(lambda _: None)
            assert settled is not None
            assert settled.call is calls[0]
            assert gathering.pending == (calls[1],)
            await upstream.wait_for(2)
            assert await gathering.next(lambda _: pool.clock()) is None
        await asyncio.wait_for(upstream.requests_for("b")[0].disconnected.wait(), 30)
    assert calls[1].outcome == "cancelled"


async def test_a_gathering_asks_for_the_limit_again_when_a_call_is_retried(upstream: FakeUpstream) -> None:
    """Because the limit may depend on it."""
    upstream.script("a", status(503), hang())
    asked = model("a", upstream)
    async with pooled(asked) as pool:
        call = call_of(pool, asked)
        async with pool.gather([call]) as gathering:
            assert await gathering.next(lambda pending: pending[0].retrying_since) is None
        assert call.retrying_since is not None


async def test_all_models_of_an_upstream_share_its_limit(upstream: FakeUpstream) -> None:
    """Whatever their own limits are; waiting calls are served in their order."""
    gate = asyncio.Event()
    upstream.default = after(gate, answer("done"))
    models = [model(name, upstream) for name in "ab"]
    async with pooled(*models, max_upstream_concurrency=2) as pool:
        calls = [call_of(pool, each) for each in models for _ in range(3)]
        asking = [asyncio.create_task(pool.complete(call)) for call in calls]
        await upstream.wait_for(2)
        for _ in range(20):
            await asyncio.sleep(0)
        assert upstream.in_flight == 2
        gate.set()
        await asyncio.gather(*asking)
    assert upstream.max_in_flight == 2
    assert len(upstream.requests) == 6


async def test_waiting_for_a_slot_counts_towards_the_deadline_of_a_stream(upstream: FakeUpstream) -> None:
    """What remains is the timeout of its attempt."""
    upstream.default = hang()
    asked, clock = model("a", upstream, max_concurrency=1, retries=0), Clock()
    async with pooled(asked, clock=clock) as pool:
        slots = pool._routes["a"].slots
        assert slots.take()
        task = asyncio.create_task(anext(pool.stream(call_of(pool, asked, deadline_s=60))))
        await settle()
        assert slots.n_waiting == 1
        clock.now += 59.95
        slots.free()
        with pytest.raises(CallError) as caught:
            await asyncio.wait_for(task, 30)
    assert caught.value.kind is Kind.TIMEOUT
