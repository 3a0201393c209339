"""Measures of waiting: answers with the timings of hosted models, and a thousand slow requests at once."""

import asyncio
import re

from bench import conversations, load
from bench.figures import find_percentile
from bench.load import Reply
from bench.measures import Figures, Measure, added_ms, spans
from bench.processes import BrokenError
from bench.stand import Stand

_CONTENT = re.compile(rb'"content": ?"[^"]')
_ARRIVE_S = 1.0


def experience(mixture: str, n_bytes: int, n_requests: int) -> Measure:
    """Measure the times of the first word and of the end of an answer. All subjects get the same random factors."""
    runs: dict[str, int] = {}

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        subject = await stand.subject(name)
        runs[name] = runs.get(name, 0) + 1
        n = max(8, int(n_requests * effort))
        bodies = [
            conversations.build_body(mixture, n_bytes, mark=f"[seed {runs[name]}{number:03} of {name}] ", stream=True)
            for number in range(n)
        ]
        seen = await load.send_spread(subject.url, bodies, seen_ms, seconds=_ARRIVE_S)
        firsts, wholes = [first for first, _ in seen], [whole for _, whole in seen]
        return {
            "first word p50, ms": find_percentile(firsts, 0.5),
            "whole answer p50, ms": find_percentile(wholes, 0.5),
            "whole answer p95, ms": find_percentile(wholes, 0.95),
        }

    return measure


def seen_ms(reply: Reply) -> tuple[float, float]:
    """Return the times of the first word and of the end of a streamed answer, from the request on, in ms."""
    for at_ns, piece in reply.pieces:
        if _CONTENT.search(piece):
            return (at_ns - reply.asked_ns) / 1e6, reply.took_s * 1e3
    raise BrokenError("the stream has no content")


def crowd(long: str, brief: str, n_requests: int) -> Measure:
    """Measure a separate process that holds many slow requests, which arrive over nearly the duration of one.

    The figures: the latency that the process adds, the most requests that it held at once, and its growth in memory
    for each of them. With less than the full effort, a tenth of the requests and of the time.
    """

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        whole = effort >= 1
        n, mixture, seconds = (n_requests, long, 25.0) if whole else (n_requests // 10, brief, 2.5)
        body = conversations.build_body(mixture, 2 * conversations.KB)
        async with stand.fresh(name) as subject:
            warm = conversations.build_body("instant", 2 * conversations.KB)
            await load.send_all(subject.url, [warm] * 64, spans, concurrency=8)
            before_mb = subject.server.rss_mb()
            asking = asyncio.create_task(load.send_spread(subject.url, [body] * n, added_ms, seconds=seconds))
            try:
                await asyncio.sleep(seconds * 1.06)
                held_mb = subject.server.rss_mb()
                added = await asking
            finally:
                asking.cancel()
        return {
            "added p50, ms": find_percentile(added, 0.5),
            "added p99, ms": find_percentile(added, 0.99),
            "memory a waiting request, KB": (held_mb - before_mb) * 1024 / n,
        }

    return measure
