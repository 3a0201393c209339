"""One attempt at a call: what it records, what it tells the breaker, and what it lets out of a stream."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from config.settings import Secret
from runtime.slots import Slots
from runtime.timers import TimerWheel
from tests.fakes import FakeUpstream, answer, hang, raw_stream, reply, status
from tests.fakes.completions import error_body
from tests.fakes.wire import Ending
from tests.running import model
from upstream import attempts
from upstream.attempts import Route
from upstream.breaker import Breaker, State
from upstream.calls import Call
from upstream.errors import CallError, Kind
from upstream.http.client import Endpoint, Upstream
from upstream.openai.quirks import QuirkMemory
from upstream.retry_policy import RetryBudget

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
WORD = b'data: {"model":"m-1","choices":[{"index":0,"delta":{"content":"Rivers"}}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
KEY = "key-of-the-model-1234"
MODEL = model("a", "http://unused", api_key=Secret(KEY, "A_KEY"))


@pytest.fixture
async def route(upstream: FakeUpstream) -> AsyncGenerator[Route]:
    """Return a way to the fake upstream with one slot."""
    clock = asyncio.get_running_loop().time
    endpoint = Endpoint(upstream.base_url, Secret(KEY, "A_KEY"))
    client = Upstream(lambda: endpoint, clock=clock, timers=TimerWheel())
    yield Route(client, (), Slots(1), Slots(9), Breaker(clock), RetryBudget(clock), QuirkMemory().of(MODEL), clock)
    await client.close()


def call_to(route: Route, *, deadline_s: float = 30.0) -> Call:
    return Call(MODEL, "proposer", [{"role": "user", "content": "Why?"}], {}, route.clock() + deadline_s)


async def fail(route: Route, call: Call) -> CallError:
    with pytest.raises(CallError) as caught:
        await attempts.complete(route, call)
    return caught.value


async def test_a_good_attempt_is_recorded(upstream: FakeUpstream, route: Route) -> None:
    """Its outcome, its usage, the model that the reply names, and the length of its text."""
    upstream.default = answer("Because.")
    call = call_to(route)
    await attempts.complete(route, call)
    (attempt,) = call.attempts
    assert (attempt.outcome, attempt.status, attempt.stated_model) == ("ok", 200, "a")
    assert attempt.received_chars >= len("Because.")
    assert attempt.usage is not None
    assert attempt.ended is not None
    assert route.slots.n_taken == 0


async def test_a_complete_answer_can_be_watched_while_it_comes(upstream: FakeUpstream, route: Route) -> None:
    """It is asked for as a stream then; the completion is the same as without."""
    upstream.default = answer("Because it is so.", usage=(3, 5), piece_chars=4)
    plain, watched = call_to(route), call_to(route)
    pieces: list[tuple[int, str]] = []
    expected = await attempts.complete(route, plain)
    watched.on_text = lambda attempt, text: pieces.append((attempt, text))
    completion = await attempts.complete(route, watched)
    assert len(pieces) > 1
    assert {attempt for attempt, _ in pieces} == {1}
    assert "".join(text for _, text in pieces) == completion["choices"][0]["message"]["content"] == "Because it is so."
    assert completion["usage"] == expected["usage"]
    assert completion["choices"][0]["finish_reason"] == "stop"
    assert [request.body.get("stream") for request in upstream.requests] == [None, True]
    assert route.slots.n_taken == 0


async def test_a_watched_answer_that_breaks_off_is_a_failure(upstream: FakeUpstream, route: Route) -> None:
    """Like one that nobody watches, although some of its text was handed over."""
    upstream.default = raw_stream([ROLE, WORD])
    call = call_to(route)
    pieces: list[tuple[int, str]] = []
    call.on_text = lambda attempt, text: pieces.append((attempt, text))
    error = await fail(route, call)
    assert (error.kind, pieces) == (Kind.TRUNCATED, [(1, "Rivers")])


async def test_the_model_s_key_is_redacted_from_a_failure(upstream: FakeUpstream, route: Route) -> None:
    """In the error, in the record, and in the breaker's reason, which names the key's source."""
    upstream.default = status(401, body=error_body(f"Incorrect API key: {KEY}", kind="x"))
    call = call_to(route)
    error = await fail(route, call)
    assert error.message == call.attempts[0].message == "Incorrect API key: [redacted]"
    breaker = route.breaker.status()
    assert breaker.state is State.OPEN
    assert breaker.reason == "the key from A_KEY was refused (HTTP 401: Incorrect API key: [redacted])"


async def test_a_reply_in_an_unexpected_shape_costs_its_own_answer_only(
    upstream: FakeUpstream, route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception while reading it becomes a failure of this attempt, and the slot is free again."""

    def break_down(_: Any) -> int:
        raise KeyError("surprise")

    monkeypatch.setattr("upstream.attempts.wire.count_chars", break_down)
    upstream.default = reply(b'{"choices":[{"message":{"content":"x"}}]}')
    error = await fail(route, call_to(route))
    assert (error.kind, error.message) == (Kind.UNPARSABLE, "the reply has an unexpected shape")
    assert route.slots.n_taken == 0


async def test_a_refusal_that_cannot_be_read_is_a_failure_like_others(
    upstream: FakeUpstream, route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt is recorded, and the breaker hears of it."""

    def stumble(*_: object) -> None:
        raise ValueError("a form that nobody has seen")

    monkeypatch.setattr(attempts, "_learn_from_refusal", stumble)
    upstream.default = status(400)
    call = call_to(route)
    error = await fail(route, call)
    assert (error.status, call.attempts[0].outcome, call.attempts[0].status) == (400, error.kind, 400)


async def test_a_cancelled_attempt_is_recorded_and_does_not_count_for_the_breaker(
    upstream: FakeUpstream, route: Route
) -> None:
    """Its slot is free again."""
    upstream.default = hang()
    call = call_to(route)
    task = asyncio.create_task(attempts.complete(route, call))
    await upstream.wait_for(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert call.attempts[0].outcome == "cancelled"
    assert (route.slots.n_taken, route.breaker.status().state) == (0, State.CLOSED)


async def test_after_the_deadline_nothing_is_sent(upstream: FakeUpstream, route: Route) -> None:
    """It is not an attempt."""
    call = call_to(route, deadline_s=0.0)
    error = await fail(route, call)
    assert (error.kind, call.attempts, upstream.requests) == (Kind.TIMEOUT, [], [])


async def test_a_stream_is_held_back_until_its_first_content(upstream: FakeUpstream, route: Route) -> None:
    """A stream that fails before it has yielded nothing, so that it can be retried unnoticed."""
    upstream.default = raw_stream([ROLE, ROLE], ending=Ending.CLOSE)
    with pytest.raises(CallError):
        await anext(attempts.stream(route, call_to(route)))
    upstream.default = raw_stream([ROLE, ROLE, WORD, STOP])
    async with aclosing(attempts.stream(route, call_to(route))) as chunks:
        deltas = [chunk["choices"][0]["delta"] async for chunk in chunks]
    assert deltas[0]["role"] == "assistant"
    assert "".join(delta.get("content") or "" for delta in deltas) == "Rivers"


async def test_a_finished_answer_is_complete_however_its_connection_ends(upstream: FakeUpstream, route: Route) -> None:
    """Without `[DONE]`, even if the connection breaks."""
    upstream.default = raw_stream([WORD, STOP], ending=Ending.RESET)
    call = call_to(route)
    async with aclosing(attempts.stream(route, call)) as chunks:
        assert len([chunk async for chunk in chunks]) == 2
    assert call.attempts[0].outcome == "ok"
