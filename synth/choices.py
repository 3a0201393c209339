"""Several answers to one request: made side by side, their events interleaved."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from synth.events import Event, SynthesisError

_MAX_WAITING = 16  # events; a client that reads slowly holds the upstreams back


def interleaved(n_choices: int, make: Callable[[int], AsyncGenerator[Event]], *, spare: bool) -> AsyncGenerator[Event]:
    """Yield the events of `make(0)` … `make(n_choices - 1)` as they come.

    With `spare`, choices that fail are left out as long as one succeeds; else the first failure ends all of them.
    """
    return make(0) if n_choices == 1 else _side_by_side(n_choices, make, spare=spare)


async def _side_by_side(
    n_choices: int, make: Callable[[int], AsyncGenerator[Event]], *, spare: bool
) -> AsyncGenerator[Event]:
    queue: asyncio.Queue[Event | BaseException | None] = asyncio.Queue(_MAX_WAITING)
    tasks = [asyncio.create_task(_pour(make(choice), queue)) for choice in range(n_choices)]
    n_running = n_choices
    failures: list[SynthesisError] = []
    try:
        while n_running:
            item = await queue.get()
            if item is None:
                n_running -= 1
            elif isinstance(item, SynthesisError) and spare:
                n_running -= 1
                failures.append(item)
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item
        if len(failures) == n_choices:
            raise SynthesisError([cause for failure in failures for cause in failure.causes])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pour(source: AsyncGenerator[Event], queue: "asyncio.Queue[Event | BaseException | None]") -> None:
    try:
        async with aclosing(source) as events:
            async for event in events:
                await queue.put(event)
    except Exception as error:  # noqa: BLE001 -- handed to the reader, which raises it
        await queue.put(error)
    else:
        await queue.put(None)
