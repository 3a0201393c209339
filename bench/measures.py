"""How things are measured. A measure looks at one subject for some seconds, and returns figures by name.

A figure's name ends in its unit. Less is better, save for what is told by the second (`/s`).
"""

import time
from collections.abc import Awaitable, Callable

from bench import conversations, load, stamps
from bench.figures import percentile
from bench.load import Reply
from bench.processes import BrokenError
from bench.stand import Stand

Figures = dict[str, float]
Measure = Callable[[Stand, str, float], Awaitable[Figures]]
"""Takes the stand, the subject's name there, and the share of the full effort that is wanted (0 to 1)."""

_WARM_ROUNDS = 2
_MIN_SINGLE = 10
_FEW = 60  # until what is made at the first use is made
_COUNTED_AT_ONCE = 8


def throughput(mixture: str, n_bytes: int, concurrency: int, n_requests: int) -> Measure:
    """Measure requests that follow each other at once: what one costs, how many a second, how long one takes."""
    body = conversations.body(mixture, n_bytes)

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        subject = await stand.subject(name)
        n = max(concurrency, int(n_requests * effort))
        warming = [body] * (concurrency * _WARM_ROUNDS)
        await load.keep_asking(subject.url, warming, spans, concurrency=concurrency)
        before_s = await subject.settled_cpu_s()
        asked_and_ended = await load.keep_asking(subject.url, [body] * n, spans, concurrency=concurrency)
        cpu_s = await subject.settled_cpu_s() - before_s
        wall_s = (max(ended for _, ended in asked_and_ended) - min(asked for asked, _ in asked_and_ended)) / 1e9
        return {
            "CPU a request, ms": cpu_s * 1e3 / n,
            "requests/s": n / wall_s,
            "p99, ms": percentile([(ended - asked) / 1e6 for asked, ended in asked_and_ended], 0.99),
        }

    return measure


def added_latency(mixture: str, n_bytes: int, n_requests: int) -> Measure:
    """Measure what a subject adds to the waits of its upstream, one request at a time."""
    body = conversations.body(mixture, n_bytes)

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        subject = await stand.subject(name)
        n = max(_MIN_SINGLE, int(n_requests * effort))
        await load.keep_asking(subject.url, [body] * 3, spans, concurrency=1)
        added = await load.keep_asking(subject.url, [body] * n, added_ms, concurrency=1)
        return {"added p50, ms": percentile(added, 0.5), "added p99, ms": percentile(added, 0.99)}

    return measure


def streams(mixture: str, n_streams: int, *, over_s: float | None = None) -> Measure:
    """Measure streams: how long after the upstream a client has a chunk, and what a stream costs.

    They follow each other, or begin evenly spread over so many seconds.
    """
    body = conversations.body(mixture, 2 * conversations.KB, stream=True)

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        subject = await stand.subject(name)
        n = max(2, int(n_streams * effort))
        await load.keep_asking(subject.url, [body] * 2, spans, concurrency=2)
        before_s = await subject.settled_cpu_s()
        if over_s is None:
            replies = await load.keep_asking(subject.url, [body] * n, chunk_delays_ms, concurrency=1)
        else:
            replies = await load.ask_over(subject.url, [body] * n, chunk_delays_ms, seconds=over_s * effort)
        cpu_s = await subject.settled_cpu_s() - before_s
        firsts = [delays[0] for delays in replies]
        every = [delay for delays in replies for delay in delays]
        return {
            "first content p50, ms": percentile(firsts, 0.5),
            "first content p99, ms": percentile(firsts, 0.99),
            "a chunk p50, ms": percentile(every, 0.5),
            "CPU a stream, ms": cpu_s * 1e3 / n,
        }

    return measure


def burst(mixture: str, concurrency: int, n_streams: int) -> Measure:
    """Measure streams whose upstream writes as fast as it is read."""
    body = conversations.body(mixture, 2 * conversations.KB, stream=True)

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        subject = await stand.subject(name)
        n = max(concurrency, int(n_streams * effort))
        await load.keep_asking(subject.url, [body] * concurrency, spans, concurrency=concurrency)
        chunks = await load.keep_asking(subject.url, [body] * n, _chunk_counts, concurrency=concurrency)
        first_ns, last_ns = min(asked for asked, _, _ in chunks), max(ended for _, ended, _ in chunks)
        return {"chunks/s": sum(count for _, _, count in chunks) / ((last_ns - first_ns) / 1e9)}

    return measure


def start_up(mixture: str) -> Measure:
    """Measure how long it takes from the start of the process to its first answer, and what it then weighs."""
    body = conversations.body(mixture, 2 * conversations.KB)

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        del effort
        async with stand.fresh(name) as subject:
            rss_mb = subject.server.rss_mb()
            await load.keep_asking(subject.url, [body], spans, concurrency=1)
            return {"first 200, s": (time.monotonic_ns() - subject.server.started_ns) / 1e9, "RSS at start, MB": rss_mb}

    return measure


def memory(mixture: str, n_warm: int, n_requests: int) -> Measure:
    """Measure whether a process grows under load, once it is warm: 2 KB and 100 KB conversations, both in one."""
    bodies = [conversations.body(mixture, size * conversations.KB) for size in (2, 2, 2, 2, 100)]

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        n = int(n_requests * effort)
        async with stand.fresh(name) as subject:
            at_start = subject.server.rss_mb()
            await load.keep_asking(subject.url, bodies * (n_warm // len(bodies)), spans, concurrency=32)
            warm = subject.server.rss_mb()
            await load.keep_asking(subject.url, bodies * (n // len(bodies)), spans, concurrency=32)
            after = subject.server.rss_mb()
        weights = {"RSS at start, MB": at_start, "RSS warm, MB": warm, "RSS after, MB": after}
        return {**weights, "grown, times": after / warm}

    return measure


def instructions(mixture: str, n_bytes: int, n_requests: int) -> Measure:
    """Count what a request takes: the instructions of many less those of a few, in processes of their own."""
    body = conversations.body(mixture, n_bytes)

    async def counted(stand: Stand, name: str, n: int) -> int:
        async with stand.fresh(name, counted=True) as subject:
            await load.keep_asking(subject.url, [body] * n, spans, concurrency=_COUNTED_AT_ONCE)
        return subject.server.instructions()

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        n = max(1, int(n_requests * effort))
        more = await counted(stand, name, _FEW + n) - await counted(stand, name, _FEW)
        return {"instructions a request": more / n}

    return measure


def added_ms(reply: Reply) -> float:
    """Return how much longer the client waited than the upstream says that it took; BrokenError if it says nothing."""
    return (reply.ended_ns - reply.asked_ns - _stamps(reply.bytes)[-1].waited_ns) / 1e6


def chunk_delays_ms(reply: Reply) -> list[float]:
    """Return how long each chunk of a stream was on its way from the upstream to the client."""
    delays = [(at_ns - stamp.went_ns) / 1e6 for at_ns, piece in reply.pieces for stamp in stamps.found(piece)]
    if not delays:
        raise BrokenError("the stream carries no stamps")
    return delays


def _stamps(text: bytes) -> list[stamps.Stamp]:
    found = stamps.found(text)
    if not found:
        raise BrokenError("the reply carries no stamp of the critic")
    return found


def spans(reply: Reply) -> tuple[int, int]:
    """Return when a reply was asked for, and when it was there, in ns."""
    return reply.asked_ns, reply.ended_ns


def _chunk_counts(reply: Reply) -> tuple[int, int, int]:
    return reply.asked_ns, reply.ended_ns, len(_stamps(reply.bytes))
