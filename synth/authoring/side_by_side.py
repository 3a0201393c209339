"""Making several answers to one request at the same time (`n` of Chat Completions)."""

import asyncio
from collections.abc import Awaitable, Callable

from synth.events import Answered, Emit, Event, SynthesisError

_MAX_QUEUED = 16  # events; then the upstreams wait for a client that reads slowly

Make = Callable[[Emit, int], Awaitable[Answered]]
"""Makes the answer of one choice, and emits the events of its making."""


async def make_side_by_side(n_choices: int, make: Make, emit: Emit, *, spare: bool) -> list[Answered]:
    """Make the choices from 0 on at the same time, and return their answers in this order.

    Events of all choices are emitted, Answered as the last of each. With `spare`, choices that fail are left out as
    long as one succeeds; otherwise the first failure ends all of them.
    """
    # Events pass through one bounded queue and are emitted by the caller's own task, one at a time. So cancelling a
    # choice never cuts off an event that is being written to the client, and a slow client slows all choices alike.
    queue: asyncio.Queue[Event | Exception] = asyncio.Queue(_MAX_QUEUED)
    tasks = [asyncio.create_task(_enqueue(make(queue.put, choice), queue)) for choice in range(n_choices)]
    answers: list[Answered] = []
    failures: list[SynthesisError] = []
    try:
        while len(answers) + len(failures) < n_choices:
            item = await queue.get()
            if isinstance(item, SynthesisError) and spare:
                failures.append(item)
            elif isinstance(item, Exception):
                raise item
            else:
                if isinstance(item, Answered):
                    answers.append(item)
                await emit(item)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if not answers:
        raise SynthesisError([cause for failure in failures for cause in failure.causes])
    return sorted(answers, key=lambda each: each.choice)


async def _enqueue(answer: Awaitable[Answered], queue: "asyncio.Queue[Event | Exception]") -> None:
    try:
        await queue.put(await answer)
    except Exception as error:  # noqa: BLE001 -- handed to the reader, which raises it
        await queue.put(error)
