"""Several answers to one request, made side by side."""

import asyncio
from collections.abc import Awaitable, Callable

from synth.events import Answered, Emit, Event, SynthesisError

_MAX_WAITING = 16  # events; a client that reads slowly holds the upstreams back

Make = Callable[[Emit, int], Awaitable[Answered]]
"""Makes the answer of one choice, and tells what happens meanwhile."""


async def side_by_side(n_choices: int, make: Make, emit: Emit, *, spare: bool) -> list[Answered]:
    """Return what `make` makes of the choices from 0 on, in this order; tell of all of them, Answered last of each.

    With `spare`, choices that fail are left out as long as one succeeds; else the first failure ends all of them. Who
    is told hears one event at a time, by the caller's own task: ending a choice cuts off nothing that is being written.
    """
    queue: asyncio.Queue[Event | Exception] = asyncio.Queue(_MAX_WAITING)
    tasks = [asyncio.create_task(_pour(make(queue.put, choice), queue)) for choice in range(n_choices)]
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


async def _pour(answer: Awaitable[Answered], queue: "asyncio.Queue[Event | Exception]") -> None:
    try:
        await queue.put(await answer)
    except Exception as error:  # noqa: BLE001 -- handed to the reader, which raises it
        await queue.put(error)
