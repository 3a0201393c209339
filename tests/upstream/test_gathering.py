"""Gathering: several calls at once."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.running import model
from upstream.calls import Call
from upstream.errors import CallError, Kind
from upstream.gathering import Gathering


def calls(*names: str) -> list[Call]:
    return [Call(model(name, "http://127.0.0.1:9"), "proposer", [], {}, 0.0) for name in names]


async def test_an_available_outcome_is_returned_after_the_limit() -> None:
    """Also if a busy loop finds it in the very turn in which the wait ends."""
    answers: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def complete(call: Call, *, on_retry: Callable[[], None]) -> dict[str, Any]:
        answers[call.name] = asyncio.get_running_loop().create_future()
        return await answers[call.name]

    now = 0.0
    async with Gathering(calls("a", "b"), complete, lambda: now) as gathering:
        waiting = asyncio.create_task(gathering.next(lambda _: 60.0))
        while len(answers) < 2:  # noqa: ASYNC110 -- two turns of the loop
            await asyncio.sleep(0)
        now = 61.0
        answers["a"].set_result({"choices": []})
        first = await waiting
        assert first is not None
        assert first.call.name == "a"
        answers["b"].set_result({"choices": []})
        late = await gathering.next(lambda _: 60.0)
        assert late is not None
        assert late.call.name == "b"
        assert gathering.pending == ()
        assert await gathering.next(lambda _: None) is None


async def test_a_failure_is_an_outcome_and_a_limit_ends_the_waiting() -> None:
    """A call that still runs then is pending, and cancelled when the context is left."""
    cancelled: list[str] = []

    async def complete(call: Call, *, on_retry: Callable[[], None]) -> dict[str, Any]:
        if call.name == "a":
            raise CallError(Kind.AUTH, "no")
        try:
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # never done
        finally:
            cancelled.append(call.name)

    async with Gathering(calls("a", "b"), complete, lambda: 5.0) as gathering:
        failed = await gathering.next(lambda _: None)
        assert failed is not None
        assert isinstance(failed.outcome, CallError)
        assert await gathering.next(lambda _: 5.0) is None
        assert [call.name for call in gathering.pending] == ["b"]
    assert cancelled == ["b"]


async def test_the_limit_is_asked_again_when_a_call_is_retried() -> None:
    """Because the caller may then want to wait longer."""
    limits: list[float] = [1e9, 0.0]

    async def complete(call: Call, *, on_retry: Callable[[], None]) -> dict[str, Any]:
        on_retry()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # never done

    async with Gathering(calls("a"), complete, lambda: 5.0) as gathering:
        assert await gathering.next(lambda _: limits.pop(0)) is None
    assert limits == []
