"""Several answers to one request, made side by side."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence

from synth.events import Answered, Event, SynthesisError, Tell


async def side_by_side(choices: Iterable[Awaitable[Answered]], *, spare: bool) -> list[Answered]:
    """Return what the choices come to, in their order.

    With `spare`, choices that fail are left out as long as one succeeds; else the first failure ends all of them.
    """
    tasks = [asyncio.ensure_future(choice) for choice in choices]
    try:
        return await _made(tasks, spare=spare)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _made(tasks: Sequence[asyncio.Future[Answered]], *, spare: bool) -> list[Answered]:
    answers: list[Answered] = []
    failures: list[SynthesisError] = []
    for done in asyncio.as_completed(tasks):
        try:
            answers.append(await done)
        except SynthesisError as error:
            if not spare:
                raise
            failures.append(error)
    if not answers:
        raise SynthesisError([cause for failure in failures for cause in failure.causes])
    return sorted(answers, key=lambda each: each.choice)


def one_by_one(tell: Tell) -> Tell:
    """Return what tells one event after the other, for who hears them reads one at a time."""
    lock = asyncio.Lock()

    async def told(event: Event) -> None:
        async with lock:
            await tell(event)

    return told
