"""The requests that are running now, and the state of each of their calls.

Collectors of running requests belong to the event loop, which changes them all the time. `snapshot` copies the few
facts that a page shows, on the loop; the page is rendered from the copy, in a thread.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from handlers.traces.collector import TraceCollector
from handlers.traces.schema import find_question, preview
from runtime.frozen import frozen
from upstream.calls import Call

MAX_SHOWN = 20

Activity = Literal["queued", "waiting", "writing", "done", "failed", "cancelled"]


@frozen
class RunningCall:
    """A call of a running request: a member of the panel, a critic, a reviewer.

    It is `queued` before its first attempt, `waiting` until the first byte, then `writing`; `n_chars` have come. `note`
    is a failure's kind, or the number of the attempt if it is not the first. `seconds` count from the call's start.
    """

    role: str
    model: str
    activity: Activity
    n_chars: int
    note: str
    seconds: float


@frozen
class RunningRequest:
    """A request that is running, for `seconds` by now; `preview` is the beginning of the user's last message."""

    id: str
    mixture: str
    mode: str
    client: str | None
    preview: str
    seconds: float
    calls: tuple[RunningCall, ...]


@dataclass(slots=True)
class RunningRequests:
    """The collectors of running requests, oldest first. For the event loop alone."""

    _collectors: dict[int, TraceCollector]

    def __init__(self) -> None:
        self._collectors = {}

    def add(self, collector: TraceCollector) -> None:
        """Add a request that begins."""
        self._collectors[id(collector)] = collector

    def discard(self, collector: TraceCollector) -> None:
        """Remove a request that has ended."""
        self._collectors.pop(id(collector), None)

    def has(self, reply_id: str) -> bool:
        """Whether a request is running, by the id of its reply."""
        return any(each.record.reply_id == reply_id for each in self._collectors.values())

    def __len__(self) -> int:
        return len(self._collectors)

    def snapshot(self, now: float, redact: Callable[[str], str]) -> Sequence[RunningRequest]:
        """Return the newest MAX_SHOWN requests, the newest first.

        `now` is on the collectors' clock; `redact` takes secrets out of a text.
        """
        newest = list(self._collectors.values())[: -MAX_SHOWN - 1 : -1]
        return [_describe(collector, now, redact) for collector in newest]


def _describe(collector: TraceCollector, now: float, redact: Callable[[str], str]) -> RunningRequest:
    record, request = collector.record, collector.request
    return RunningRequest(
        id=record.reply_id,
        mixture=record.mixture or (request.model if request else None) or "",
        mode=record.mode or "",
        client=record.client,
        preview=redact(preview(find_question(request.messages))) if request else "",
        seconds=max(0.0, now - collector.started),
        calls=tuple(_describe_call(call, now) for call in record.ledger.calls),
    )


def _describe_call(call: Call, now: float) -> RunningCall:
    activity, note = _find_activity(call)
    started = now if call.started is None else call.started
    seconds = (now if call.ended is None else call.ended) - started
    n_chars = call.attempts[-1].received_chars if call.attempts else 0
    return RunningCall(call.role, call.name, activity, n_chars, note, max(0.0, seconds))


def _find_activity(call: Call) -> tuple[Activity, str]:
    if call.outcome == "ok":
        return "done", ""
    if call.outcome == "cancelled":
        return "cancelled", ""
    if call.outcome != "running":
        return "failed", str(call.outcome)
    if not call.attempts:
        return "queued", ""
    n_attempts = len(call.attempts)
    note = f"attempt {n_attempts}" if n_attempts > 1 else ""
    return ("waiting" if call.attempts[-1].first_byte is None else "writing"), note
