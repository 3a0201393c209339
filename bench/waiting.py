"""What users wait for: answers with the timings of hosted models, and a thousand slow ones at once."""

import asyncio
import re

from bench import conversations, load
from bench.figures import percentile
from bench.load import Reply
from bench.measures import Figures, Measure, added_ms, spans
from bench.processes import BrokenError
from bench.stand import Stand

_CONTENT = re.compile(rb'"content": ?"[^"]')
_ARRIVE_S = 1.0


def experience(mixture: str, n_bytes: int, n_requests: int) -> Measure:
    """Measure when a user sees the first word of an answer, and when its end. Every subject gets the same luck."""
    runs: dict[str, int] = {}

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        subject = await stand.subject(name)
        runs[name] = runs.get(name, 0) + 1
        n = max(8, int(n_requests * effort))
        bodies = [
            conversations.body(mixture, n_bytes, mark=f"[seed {runs[name]}{number:03} of {name}] ", stream=True)
            for number in range(n)
        ]
        seen = await load.ask_over(subject.url, bodies, seen_ms, seconds=_ARRIVE_S)
        firsts, wholes = [first for first, _ in seen], [whole for _, whole in seen]
        return {
            "first word p50, ms": percentile(firsts, 0.5),
            "whole answer p50, ms": percentile(wholes, 0.5),
            "whole answer p95, ms": percentile(wholes, 0.95),
        }

    return measure


def seen_ms(reply: Reply) -> tuple[float, float]:
    """Return when the client saw the first word of a streamed answer, and when its end, from when it asked."""
    for at_ns, piece in reply.pieces:
        if _CONTENT.search(piece):
            return (at_ns - reply.asked_ns) / 1e6, reply.took_s * 1e3
    raise BrokenError("the stream has no content")


def crowd(long: str, brief: str, n_requests: int) -> Measure:
    """Measure a process of its own that holds many slow requests, which arrive over nearly the time that one takes.

    The figures: what the process adds to the waits of its upstream, how many it held at most, and how much memory it
    has then more than before, for each of them. With less than the full effort, a tenth of the requests and the time.
    """

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        whole = effort >= 1
        n, mixture, seconds = (n_requests, long, 25.0) if whole else (n_requests // 10, brief, 2.5)
        body = conversations.body(mixture, 2 * conversations.KB)
        async with stand.fresh(name) as subject:
            warm = conversations.body("instant", 2 * conversations.KB)
            await load.keep_asking(subject.url, [warm] * 64, spans, concurrency=8)
            before_mb = subject.server.rss_mb()
            asking = asyncio.create_task(load.ask_over(subject.url, [body] * n, added_ms, seconds=seconds))
            try:
                await asyncio.sleep(seconds * 1.06)
                held_mb = subject.server.rss_mb()
                added = await asking
            finally:
                asking.cancel()
        return {
            "added p50, ms": percentile(added, 0.5),
            "added p99, ms": percentile(added, 0.99),
            "memory a waiting request, KB": (held_mb - before_mb) * 1024 / n,
        }

    return measure
