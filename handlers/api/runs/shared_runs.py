"""Runs shared by several clients: identical requests are paid once.

A client asks again after a timeout, a lost connection or a failed stream, often while the gateway still works on its
first request. The second request then joins the first one's run, and receives its events from the beginning.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from handlers.request_record import RequestRecord
from runtime.frozen import frozen
from runtime.time_slice import TimeSlice
from synth.authoring.client_stream import MAX_DELTA_CHARS
from synth.events import Emit, Event, Finished, ReasoningDelta, TextDelta
from synth.ledger import Ledger

_DELTAS = (TextDelta, ReasoningDelta)

MAX_KEPT_EVENTS = 20_000
MAX_KEPT_CHARS = 2**20
"""The events and the characters of deltas that a run keeps for clients that join late; beyond, no client can join."""

MAX_BACKLOG_BYTES = 65_536
"""How far the fastest client may fall behind before the run waits for it."""

MAX_REPLAY_BYTES = 2**20
MAX_REPLAYS_BYTES = 32 * 2**20
"""The largest reply that is kept for repetition, and the size of all of them; the oldest are dropped first."""

# How a run is shared.
#
# A run has a task of its own, because each client's handler is cancelled when that client leaves, and usually the first
# client leaves and the second stays. Every client has a Subscription: the run hands each event to all of them at once,
# without waiting, and each handler sends its bytes at its own pace. So a client whose connection hangs does not delay
# the one that has replaced it. The run waits only if its fastest client falls behind, which for a single client is the
# usual back-pressure. The last one to leave cancels the run.
#
# Most runs have one client from beginning to end, so all this has to cost it next to nothing: a task, a list of the
# events, and a call for each of them.
#
# One request pays: its record has the ledger, and so the log, the metrics and the trace count each call once. If the
# paying client leaves, the next one's record takes the ledger over.

RunKey = tuple[str, str | None, str | None, bytes]
"""The key that identical requests share: the client API, the client's key, the header x-mom-mode, and the body.

A short body stands for itself. A digest stands for a longer one, which would have to be kept to be compared.
"""

MAX_KEY_BYTES = 8_192
_LARGE_BYTES = 2**20  # its digest takes a millisecond


async def identify_request(api: str, client: str | None, mode: str | None, body: bytes) -> RunKey:
    """Return the key of a request; the digest of a large body is made in a thread."""
    if len(body) <= MAX_KEY_BYTES:
        return api, client, mode, body
    digest = _digest(body) if len(body) <= _LARGE_BYTES else await asyncio.to_thread(_digest, body)
    return api, client, mode, digest


def _digest(body: bytes) -> bytes:
    return sha256(body).digest()


class Subscription:
    """One client's part in a run. `serialize` turns an event into the bytes to send, often b""."""

    def __init__(self, run: "SharedRun", record: RequestRecord, serialize: Callable[[Event], bytes]) -> None:
        self.record = record
        self.n_unsent = 0
        self._run = run
        self._serialize = serialize
        self._unsent: list[bytes] = []
        self._wake: asyncio.Future[None] | None = None

    def receive(self, event: Event) -> None:
        """Take in the next event of the run."""
        data = self._serialize(event)
        if data:
            self._unsent.append(data)
            self.n_unsent += len(data)
            self.wake()

    def wake(self) -> None:
        """Have `next` look again."""
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def next(self) -> bytes | None:
        """Wait for bytes to send and return them, or None when the run has ended and all are taken."""
        while not self._unsent:
            if self._run.is_over:
                return None
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        data = self._unsent[0] if len(self._unsent) == 1 else b"".join(self._unsent)
        self._unsent.clear()
        self.n_unsent = 0
        self._run.note_progress()
        return data


class SharedRun:
    """One run in a task of its own, with the clients that wait for it. `ledger` has its calls."""

    def __init__(self, on_closed: Callable[[], object] | None = None) -> None:
        self.ledger = Ledger()
        self.payer = ""
        """The reply id of the request that pays."""
        self._on_closed = on_closed
        self._observe: Callable[[Event], None] | None = None
        self._time_slice = TimeSlice(asyncio.get_running_loop().time)
        self._kept: list[Event] | None = []
        self._n_kept_chars = 0
        self._subscriptions: list[Subscription] = []
        self._progress: asyncio.Event | None = None
        self._task: asyncio.Task[Finished] | None = None

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, with an answer or without."""
        return self._task is not None and self._task.done()

    def start(
        self, answer: Callable[[Emit], Coroutine[Any, Any, Finished]], observe: Callable[[Event], None] | None = None
    ) -> None:
        """Begin to run `answer`, with the function that takes its events; subscribe before the loop's next turn.

        `observe` reads each event before the clients do, whichever of them are there.
        """
        self._observe = observe
        self._task = asyncio.get_running_loop().create_task(answer(self._emit))
        self._task.add_done_callback(self._end)

    def subscribe(self, record: RequestRecord, serialize: Callable[[Event], bytes]) -> Subscription:
        """Return the subscription of a client; it has received all events so far."""
        subscription = Subscription(self, record, serialize)
        if self._subscriptions:
            record.shared, record.shared_with = "running", self.payer
        else:
            self._make_payer(subscription)
        for event in merge_deltas(self._kept or ()):
            subscription.receive(event)
        self._subscriptions.append(subscription)
        return subscription

    async def leave(self, subscription: Subscription) -> None:
        """End a subscription; if it was the last one, cancel the run and wait until its calls are closed."""
        self._subscriptions.remove(subscription)
        task = self._task
        if task is None or task.done():
            if not self._subscriptions:
                self._close()  # here as well, because the loop may call `_end` only after a new client has joined
                self._task = None  # its exception holds the frames that it passed, and they hold this run
            return
        if self._subscriptions:
            if subscription.record.ledger is self.ledger:
                self._make_payer(self._subscriptions[0])
                subscription.record.ledger = Ledger()
                subscription.record.shared, subscription.record.shared_with = "left", self.payer
            self.note_progress()
            return
        self._close()
        task.cancel()
        await asyncio.wait([task])

    def result(self) -> Finished:
        """Return what the run has ended with, or raise it; for a client that has not left, if it `is_over`."""
        if self._task is None:
            raise RuntimeError("a run has a result only for its subscribers")
        return self._task.result()

    def note_progress(self) -> None:
        """Note that a client has caught up, or left."""
        if self._progress is not None:
            self._progress.set()
            self._progress = None

    def _make_payer(self, subscription: Subscription) -> None:
        subscription.record.ledger = self.ledger
        self.payer = subscription.record.reply_id

    async def _emit(self, event: Event) -> None:
        if self._observe is not None:
            self._observe(event)
        if self._kept is not None:
            self._kept.append(event)
        subscriptions = self._subscriptions
        for each in subscriptions:
            each.receive(event)
        if isinstance(event, _DELTAS):  # only they come in great numbers
            self._limit_kept(len(event.text))
            await self._time_slice.give_way()  # a complete answer is many of them, and no reader makes the run wait
        while subscriptions and subscriptions[0].n_unsent > MAX_BACKLOG_BYTES and self._is_ahead():
            self._progress = self._progress or asyncio.Event()  # several answers of one run may wait
            await self._progress.wait()

    def _is_ahead(self) -> bool:
        """Whether the fastest client is so far behind that the run waits for it."""
        return min(each.n_unsent for each in self._subscriptions) > MAX_BACKLOG_BYTES

    def _limit_kept(self, n_chars: int) -> None:
        """Let no further client join if too much would have to be kept for one."""
        self._n_kept_chars += n_chars
        if self._kept is not None and (len(self._kept) > MAX_KEPT_EVENTS or self._n_kept_chars > MAX_KEPT_CHARS):
            self._close()

    def _close(self) -> None:
        """Let no further client join, and forget the events that were kept for one."""
        self._kept = None
        if self._on_closed is not None:
            self._on_closed()
            self._on_closed = None

    def _end(self, task: "asyncio.Task[Finished]") -> None:
        if not task.cancelled():
            task.exception()  # seen here: there may be no client left to raise it to
        self._close()
        for each in self._subscriptions:
            each.wake()


@frozen
class Replay:
    """A finished reply, repeated until `expires` on the clock of the runs; `record` is its request's."""

    body: bytes
    record: RequestRecord
    expires: float


class SharedRuns:
    """The runs that further clients may join, and the replies that may be repeated, of one configuration.

    `now` is in seconds, on one clock. Belongs to the event loop that it is used in.
    """

    def __init__(self) -> None:
        self._running: dict[RunKey, SharedRun] = {}
        self._replays: dict[RunKey, Replay] = {}  # in the order in which they expire
        self._n_replay_bytes = 0

    def find(self, key: RunKey | None) -> SharedRun | None:
        """Return the run of an identical request that can still be joined, or None. The key None matches no run."""
        return None if key is None else self._running.get(key)

    def create(self, key: RunKey | None) -> SharedRun:
        """Return a new run. Identical requests find it until it ends, unless the key is None."""
        if key is None:
            return SharedRun()
        run = self._running[key] = SharedRun(partial(self._running.pop, key, None))
        return run

    def find_replay(self, key: RunKey | None, now: float) -> Replay | None:
        """Return the finished reply to an identical request, or None if there is none or its time is over."""
        if key is None or not self._replays:
            return None
        self._drop_replays(now, n_needed=0)
        return self._replays.get(key)

    def keep_replay(self, key: RunKey, replay: Replay, now: float) -> None:
        """Keep a finished reply, unless it is too large."""
        self._drop_replays(now, n_needed=len(replay.body))
        if key not in self._replays and len(replay.body) <= MAX_REPLAY_BYTES:
            self._replays[key] = replay
            self._n_replay_bytes += len(replay.body)

    def _drop_replays(self, now: float, *, n_needed: int) -> None:
        """Drop the replies whose time is over, and the oldest until there is room."""
        while self._replays:
            key, oldest = next(iter(self._replays.items()))
            if oldest.expires > now and self._n_replay_bytes + n_needed <= MAX_REPLAYS_BYTES:
                break
            del self._replays[key]
            self._n_replay_bytes -= len(oldest.body)


def merge_deltas(events: Sequence[Event]) -> list[Event]:
    """Return events with neighbouring deltas of one kind joined, as far as their size allows.

    A client that joins late then receives the answer so far in a few pieces, and not token by token.
    """
    merged: list[Event] = []
    for event in events:
        joined = _join(merged[-1], event) if merged else None
        if joined is None:
            merged.append(event)
        else:
            merged[-1] = joined
    return merged


def _join(first: Event, second: Event) -> Event | None:
    """Return two deltas as one, or None if they must stay apart."""
    if isinstance(first, TextDelta) and isinstance(second, TextDelta):
        is_short = len(first.text) + len(second.text) <= MAX_DELTA_CHARS
        return TextDelta(first.text + second.text, first.choice) if is_short and first.choice == second.choice else None
    if isinstance(first, ReasoningDelta) and isinstance(second, ReasoningDelta) and not first.signature:
        is_short = len(first.text) + len(second.text) <= MAX_DELTA_CHARS
        if is_short and first.choice == second.choice:
            return ReasoningDelta(first.text + second.text, first.choice, second.signature)
    return None
