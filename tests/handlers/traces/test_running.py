"""The requests that are running, and the activity of their calls."""

import pytest

from handlers.request_record import RequestRecord
from handlers.traces.collector import TraceCollector
from handlers.traces.running import MAX_SHOWN, RunningRequests
from synth.request import ChatRequest
from tests.handlers.traces.test_collector import call
from upstream.calls import Attempt, Call


def begin(reply_id: str, *calls: Call, started: float = 100.0) -> TraceCollector:
    record = RequestRecord(reply_id, started, mixture="mom", mode="fuse")
    for each in calls:
        record.ledger.add(each)
    request = ChatRequest(None, [{"role": "user", "content": "My key is sk-1.\nWhy?"}], {})
    return TraceCollector("req-1", {}, record, started, 0.0, request=request)


def redact(text: str) -> str:
    return text.replace("sk-1", "[redacted]")


def test_a_running_request_is_described() -> None:
    """Its question without secrets, its mixture and mode, and how long it has run."""
    running = RunningRequests()
    running.add(begin("chatcmpl-1"))
    (request,) = running.snapshot(102.5, redact)
    assert (request.preview, request.mixture, request.mode) == ("My key is [redacted]. Why?", "mom", "fuse")
    assert (request.seconds, request.calls) == (2.5, ())


@pytest.mark.parametrize(
    ("made", "activity", "note"),
    [
        (call("a"), "queued", ""),
        (call("a", started=100.0, attempts=[Attempt(100.0)]), "waiting", ""),
        (call("a", started=100.0, attempts=[Attempt(100.0, 101.0), Attempt(101.5)]), "waiting", "attempt 2"),
        (call("a", started=100.0, attempts=[Attempt(100.0, first_byte=101.0, received_chars=9)]), "writing", ""),
        (call("a", started=100.0, ended=101.0, outcome="ok", attempts=[Attempt(100.0, 101.0)]), "done", ""),
        (call("a", started=100.0, ended=101.0, outcome="timeout"), "failed", "timeout"),
        (call("a", started=100.0, ended=101.0, outcome="cancelled"), "cancelled", ""),
    ],
)
def test_a_call_has_an_activity(made: Call, activity: str, note: str) -> None:
    """From its queue to its outcome."""
    running = RunningRequests()
    running.add(begin("chatcmpl-1", made))
    ((described,),) = (request.calls for request in running.snapshot(103.0, redact))
    assert (described.activity, described.note) == (activity, note)
    assert described.n_chars == (9 if activity == "writing" else 0)


def test_a_running_request_is_known_by_its_id() -> None:
    """Until it has ended."""
    running, collector = RunningRequests(), begin("chatcmpl-1")
    running.add(collector)
    assert running.has("chatcmpl-1")
    assert not running.has("chatcmpl-2")
    running.discard(collector)
    assert not running.has("chatcmpl-1")


def test_the_newest_requests_are_shown_and_all_are_counted() -> None:
    """A page stays small under load."""
    running = RunningRequests()
    collectors = [begin(f"chatcmpl-{number}") for number in range(MAX_SHOWN + 5)]
    for each in collectors:
        running.add(each)
    shown = running.snapshot(101.0, redact)
    assert [request.id for request in shown][:2] == ["chatcmpl-24", "chatcmpl-23"]
    assert (len(shown), len(running)) == (MAX_SHOWN, MAX_SHOWN + 5)
    running.discard(collectors[0])
    running.discard(collectors[0])
    assert len(running) == MAX_SHOWN + 4
