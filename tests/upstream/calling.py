"""A pool of the fake upstream's models and calls to them, without a gateway."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from config.settings import Model
from tests.running import no_pause
from upstream.calls import Call
from upstream.errors import CallError
from upstream.pool import Pool


@asynccontextmanager
async def pooled(*models: Model, **options: Any) -> AsyncGenerator[Pool]:
    """Run a pool whose retries do not pause, and close it."""
    pool = Pool(models, **{"sleep": no_pause, **options})
    try:
        yield pool
    finally:
        await pool.close()


def call_of(pool: Pool, model: Model, *, deadline_s: float = 60.0) -> Call:
    """Return a new call to a model."""
    messages: Sequence[Any] = [{"role": "user", "content": "Why?"}]
    return Call(model, "proposer", messages, {}, pool.clock() + deadline_s)


def text_of(completion: dict[str, Any]) -> str:
    """Return the text of a completion."""
    return str(completion["choices"][0]["message"]["content"])


async def text(pool: Pool, call: Call) -> str:
    """Return the text of a call's completion."""
    return text_of(await pool.complete(call))


async def failure(pool: Pool, model: Model, **options: Any) -> CallError:
    """Make a call that must fail, and return its CallError."""
    try:
        await pool.complete(call_of(pool, model, **options))
    except CallError as error:
        return error
    raise AssertionError("the call did not fail")


def outcomes(call: Call) -> list[tuple[str, bool]]:
    """Return each attempt's outcome, and whether it was a hedge."""
    return [(str(attempt.outcome), attempt.hedge) for attempt in call.attempts]
