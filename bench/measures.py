"""The measures. A measure observes one subject for some seconds, and returns figures by name.

A figure's name ends in its unit. Less is better, except for rates (`/s`).
"""

import time
from collections.abc import Awaitable, Callable

from bench import conversations, load, stamps
from bench.figures import find_percentile
from bench.load import Reply
from bench.processes import BrokenError
from bench.stand import Stand

Figures = dict[str, float]
Measure = Callable[[Stand, str, float], Awaitable[Figures]]
"""Takes the test stand, the subject's name, and the share of the full effort to spend (0 to 1)."""

_WARM_ROUNDS = 2
_MIN_SINGLE = 10
_FEW = 60  # enough for everything that is created on first use
_COUNTED_AT_ONCE = 8


def throughput(
    mixture: str, n_bytes: int, concurrency: int, n_requests: int, *, ask: str = conversations.QUESTION
) -> Measure:
    """Measure back-to-back requests: the cost of one, the rate, the duration of one."""
    body = conversations.build_body(mixture, n_bytes, ask=ask)

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        subject = await stand.subject(name)
        n = max(concurrency, int(n_requests * effort))
        warming = [body] * (concurrency * _WARM_ROUNDS)
        await load.send_all(subject.url, warming, spans, concurrency=concurrency)
        before_s = await subject.settled_cpu_s()
        asked_and_ended = await load.send_all(subject.url, [body] * n, spans, concurrency=concurrency)
        cpu_s = await subject.settled_cpu_s() - before_s
        wall_s = (max(ended for _, ended in asked_and_ended) - min(asked for asked, _ in asked_and_ended)) / 1e9
        return {
            "CPU a request, ms": cpu_s * 1e3 / n,
            "requests/s": n / wall_s,
            "p99, ms": find_percentile([(ended - asked) / 1e6 for asked, ended in asked_and_ended], 0.99),
        }

    return measure


def added_latency(mixture: str, n_bytes: int, n_requests: int, *, ask: str = conversations.QUESTION) -> Measure:
    """Measure the latency that a subject adds to its upstream's, one request at a time."""
    body = conversations.build_body(mixture, n_bytes, ask=ask)

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        subject = await stand.subject(name)
        n = max(_MIN_SINGLE, int(n_requests * effort))
        await load.send_all(subject.url, [body] * 3, spans, concurrency=1)
        added = await load.send_all(subject.url, [body] * n, added_ms, concurrency=1)
        return {"added p50, ms": find_percentile(added, 0.5), "added p99, ms": find_percentile(added, 0.99)}

    return measure


def streams(mixture: str, n_streams: int, *, over_s: float | None = None) -> Measure:
    """Measure streams: the time of a chunk from the upstream to the client, and the cost of a stream.

    They run one after another, or begin evenly spread over `over_s`.
    """
    body = conversations.build_body(mixture, 2 * conversations.KB, stream=True)

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        subject = await stand.subject(name)
        n = max(2, int(n_streams * effort))
        await load.send_all(subject.url, [body] * 2, spans, concurrency=2)
        before_s = await subject.settled_cpu_s()
        if over_s is None:
            replies = await load.send_all(subject.url, [body] * n, chunk_delays_ms, concurrency=1)
        else:
            replies = await load.send_spread(subject.url, [body] * n, chunk_delays_ms, seconds=over_s * effort)
        cpu_s = await subject.settled_cpu_s() - before_s
        firsts = [delays[0] for delays in replies]
        every = [delay for delays in replies for delay in delays]
        return {
            "first content p50, ms": find_percentile(firsts, 0.5),
            "first content p99, ms": find_percentile(firsts, 0.99),
            "a chunk p50, ms": find_percentile(every, 0.5),
            "CPU a stream, ms": cpu_s * 1e3 / n,
        }

    return measure


def burst(mixture: str, concurrency: int, n_streams: int) -> Measure:
    """Measure streams whose upstream writes as fast as it is read."""
    body = conversations.build_body(mixture, 2 * conversations.KB, stream=True)

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        subject = await stand.subject(name)
        n = max(concurrency, int(n_streams * effort))
        await load.send_all(subject.url, [body] * concurrency, spans, concurrency=concurrency)
        chunks = await load.send_all(subject.url, [body] * n, _chunk_counts, concurrency=concurrency)
        first_ns, last_ns = min(asked for asked, _, _ in chunks), max(ended for _, ended, _ in chunks)
        return {"chunks/s": sum(count for _, _, count in chunks) / ((last_ns - first_ns) / 1e9)}

    return measure


def start_up(mixture: str) -> Measure:
    """Measure the time from the start of the process to its first answer, and its memory then."""
    body = conversations.build_body(mixture, 2 * conversations.KB)

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        del effort
        async with stand.fresh(name) as subject:
            rss_mb = subject.server.rss_mb()
            await load.send_all(subject.url, [body], spans, concurrency=1)
            return {"first 200, s": (time.monotonic_ns() - subject.server.started_ns) / 1e9, "RSS at start, MB": rss_mb}

    return measure


def memory(mixture: str, n_warm: int, n_requests: int) -> Measure:
    """Measure whether a warm process grows under load, with a mix of 2 KB and 100 KB conversations."""
    bodies = [conversations.build_body(mixture, size * conversations.KB) for size in (2, 2, 2, 2, 100)]

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        n = int(n_requests * effort)
        async with stand.fresh(name) as subject:
            at_start = subject.server.rss_mb()
            await load.send_all(subject.url, bodies * (n_warm // len(bodies)), spans, concurrency=32)
            warm = subject.server.rss_mb()
            await load.send_all(subject.url, bodies * (n // len(bodies)), spans, concurrency=32)
            after = subject.server.rss_mb()
        weights = {"RSS at start, MB": at_start, "RSS warm, MB": warm, "RSS after, MB": after}
        return {**weights, "grown, times": after / warm}

    return measure


def instructions(mixture: str, n_bytes: int, n_requests: int) -> Measure:
    """Count the instructions of a request: those of many less those of a few, each in a process of its own."""
    body = conversations.build_body(mixture, n_bytes)

    async def counted(stand: Stand, name: str, n: int) -> int:
        async with stand.fresh(name, counted=True) as subject:
            await load.send_all(subject.url, [body] * n, spans, concurrency=_COUNTED_AT_ONCE)
        return subject.server.instructions()

    async def measure(stand: Stand, name: str, effort: float) -> Figures:
        n = max(1, int(n_requests * effort))
        more = await counted(stand, name, _FEW + n) - await counted(stand, name, _FEW)
        return {"instructions a request": more / n}

    return measure


def added_ms(reply: Reply) -> float:
    """Return how much longer the client waited than the upstream took. Raises BrokenError if the reply has no stamp."""
    return (reply.ended_ns - reply.asked_ns - _stamps(reply.bytes)[-1].waited_ns) / 1e6


def chunk_delays_ms(reply: Reply) -> list[float]:
    """Return the transit time of each chunk of a stream, from the upstream to the client.

    An event that repeats the whole text, as Responses has at the end, delays none of it.
    """
    arrivals: dict[stamps.Stamp, int] = {}
    for at_ns, piece in reply.pieces:
        for stamp in stamps.find_stamps(piece):
            arrivals.setdefault(stamp, at_ns)
    if not arrivals:
        raise BrokenError("the stream carries no stamps")
    return [(at_ns - stamp.went_ns) / 1e6 for stamp, at_ns in arrivals.items()]


def _stamps(text: bytes) -> list[stamps.Stamp]:
    found = stamps.find_stamps(text)
    if not found:
        raise BrokenError("the reply carries no stamp of the critic")
    return found


def spans(reply: Reply) -> tuple[int, int]:
    """Return the times of a request and of the end of its reply, in ns."""
    return reply.asked_ns, reply.ended_ns


def _chunk_counts(reply: Reply) -> tuple[int, int, int]:
    return reply.asked_ns, reply.ended_ns, len(_stamps(reply.bytes))
