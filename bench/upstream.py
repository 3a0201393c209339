"""A scripted upstream over a bare protocol: too cheap to be the bottleneck.

It understands the HTTP that the processes under test send: one request after another, bodies with Content-Length.
"""

import asyncio
import math
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench import replies, stamps
from bench.prefixes import PrefixCache
from bench.scripts import CRITIC, PICK, SCRIPTS, Pace, Script, parse
from bench.stamps import Stamp

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_MODEL = re.compile(rb'"model": ?"([^"]+)"')
_STREAM = re.compile(rb'"stream": ?true')
_SEED = re.compile(rb"\[seed (\d+)")
_FENCE = re.compile(rb"BEGIN ([A-Z]) ")
_BEST = b"def read_b("
_CACHED_SHARE = 0.8
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    """A complete request, and the script that answers it."""

    came_ns: int
    body: bytes
    model: str
    member: str
    script: Script

    def letter(self) -> str | None:
        """Return the letter of the best draft, if the prompt lets a critic pick one."""
        if self.member != CRITIC or self.script.drafts != "code":
            return None
        letters = _FENCE.findall(self.body, 0, self.body.rfind(_BEST))
        return letters[-1].decode() if letters else None

    def pace(self, cached_share: float) -> Pace:
        """Return the pace of the reply: by the script, a random factor, and the cached share of the prompt.

        The factor is drawn from the seed in the conversation, so that all subjects get the same.
        """
        pace = self.script.pace(self.member) if self.letter() is None else PICK
        wait = 1 - _CACHED_SHARE * cached_share
        if not self.script.tail:
            return pace.times(wait, 1)
        seed = _SEED.search(self.body)
        luck = random.Random(f"{self.model} {seed[1].decode() if seed else ''}")  # noqa: S311 -- timings
        return pace.times(wait * math.exp(luck.gauss(0, self.script.tail)), math.exp(luck.gauss(0, self.script.tail)))

    def stamp(self) -> Stamp:
        """Return the stamp of a reply that leaves now."""
        before_ns = stamps.last_wait_ns(self.body) if self.member == CRITIC else 0
        return Stamp(self.came_ns, time.monotonic_ns(), before_ns)


class Connection(asyncio.Protocol):
    """One connection: answers each request by its model's script."""

    def __init__(self, caches: defaultdict[Script, PrefixCache]) -> None:
        self._loop = asyncio.get_running_loop()
        self._caches = caches
        self._transport: asyncio.Transport | None = None
        self._pieces: list[bytes] = []
        self._n_bytes = 0
        self._n_wanted: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]  # a stream's transport, by create_server

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the pending reply."""
        del exc
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Collect a request; answer when it is complete."""
        came_ns = time.monotonic_ns()
        self._pieces.append(data)
        self._n_bytes += len(data)
        if self._n_wanted is None:
            self._n_wanted = _request_size(b"".join(self._pieces))
        if self._n_wanted is not None and self._n_bytes >= self._n_wanted:
            body = b"".join(self._pieces)
            self._pieces, self._n_bytes, self._n_wanted = [], 0, None
            self._answer(came_ns, body)

    def _answer(self, came_ns: int, body: bytes) -> None:
        found = _MODEL.search(body)
        if found is None:
            self._write(_NOT_FOUND)
            return
        model = found[1].decode()
        name, member = parse(model)
        request = Request(came_ns, body, model, member, SCRIPTS[name])
        pace = self._pace(request)
        if _STREAM.search(body):
            self._schedule(pace.wait_s, partial(self._stream, request, pace))
        else:
            self._schedule(pace.wait_s + pace.write_s, partial(self._reply_at_once, request))

    def _pace(self, request: Request) -> Pace:
        if not request.script.caches:
            return request.pace(0.0)
        cache = self._caches[request.script]
        prompt = request.body[request.body.find(b'"messages":') :]
        pace = request.pace(cache.share(prompt))
        self._loop.call_later(pace.wait_s, cache.remember, prompt)
        return pace

    def _schedule(self, delay_s: float, act: Callable[[], None]) -> None:
        if delay_s:
            self._timer = self._loop.call_later(delay_s, act)
        else:
            act()

    def _reply_at_once(self, request: Request) -> None:
        letter = request.letter()
        if letter is not None:
            self._write(replies.build_pick(request.model, letter))
            return
        before, behind = replies.build_completion(request.model)
        self._write(before + (request.stamp().encode() if request.script.stamped else b"") + behind)

    def _stream(self, request: Request, pace: Pace) -> None:
        stamp = request.stamp()
        self._write(replies.build_opening(request.model))
        self._send_chunks(request, stamp, pace, 0)

    def _send_chunks(self, request: Request, stamp: Stamp, pace: Pace, n_sent: int) -> None:
        """Send the chunks from `n_sent` on: the first at once, each with its time of departure."""
        before, behind = replies.build_delta(request.model)
        while n_sent < pace.n_chunks:
            now = Stamp(stamp.came_ns, time.monotonic_ns(), stamp.before_ns)
            self._write(before + now.encode() + behind)
            n_sent += 1
            if pace.write_s:
                self._schedule(pace.write_s / pace.n_chunks, partial(self._send_chunks, request, stamp, pace, n_sent))
                return
        self._write(replies.build_ending(request.model))

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def _request_size(start: bytes) -> int | None:
    """Return the size of the request that begins so, in bytes, or None if its head is incomplete."""
    end = start.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = _LENGTH.search(start, 0, end)
    return end + 4 + (int(length[1]) if length else 0)


async def _serve() -> None:
    caches: defaultdict[Script, PrefixCache] = defaultdict(PrefixCache)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(Connection, caches), "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201 -- read by the process that started this one
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
