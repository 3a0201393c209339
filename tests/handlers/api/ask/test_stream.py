"""A run as server-sent events, for people who watch it."""

import json
from typing import Any

import pytest

from handlers.api.ask.stream import AskStream
from handlers.api.client_api import Envelope
from handlers.errors import ApiError
from synth.events import (
    Answered,
    AuthorFailed,
    AuthorStarted,
    CandidateArrived,
    CandidateFailed,
    DecidedBy,
    Event,
    EvidenceFound,
    ModeChosen,
    PanelSettled,
    PickMade,
    ProposerLeftOut,
    StageStarted,
    TextDelta,
)
from synth.evidence.inquiry import Ranking, Standing
from synth.normalize import Completion
from tests.handlers.traces.test_collector import call
from upstream.errors import CallError, Kind


def stream() -> AskStream:
    return AskStream(Envelope("chatcmpl-1", 0, "mom"))


def events(data: bytes) -> list[tuple[str, Any]]:
    """Return the names and the data of events."""
    lines = [block.split("\n") for block in data.decode("ascii").split("\n\n") if block and not block.startswith(":")]
    named = [(name.removeprefix("event: "), json.loads(value.removeprefix("data: "))) for name, value in lines]
    assert [name for name, _ in named] == [data.pop("type") for _, data in named]
    return named


@pytest.mark.parametrize(
    ("event", "name", "data"),
    [
        (ModeChosen("direct", "title"), "mode", {"mode": "direct", "bypass": "title"}),
        (StageStarted(2, ("b", "c")), "stage", {"stage": 2, "models": ["b", "c"]}),
        (
            CandidateArrived(call("a", started=1.0, ended=2.5), Completion("one"), "no JSON"),
            "candidate",
            {"model": "a", "layer": 1, "text": "one", "finding": "no JSON", "seconds": 1.5},
        ),
        (
            EvidenceFound(
                Ranking((Standing("a", finding="passes 1 of 2"), Standing("b", 1)), "examples"), decides=True
            ),
            "evidence",
            {"decides": True, "by": "examples", "findings": {"a": "passes 1 of 2"}},
        ),
        (
            CandidateFailed(call("a"), CallError(Kind.TIMEOUT, "slow")),
            "failure",
            {"model": "a", "layer": 1, "kind": "timeout", "message": "slow"},
        ),
        (
            ProposerLeftOut("a", "too long", 2),
            "failure",
            {"model": "a", "layer": 2, "kind": "left_out", "message": "too long"},
        ),
        (
            AuthorStarted(call("c", "critic"), [], 7, ("a", "b")),
            "author",
            {"model": "c", "role": "critic", "reads": 2},
        ),
        (AuthorFailed(call("c"), CallError(Kind.EMPTY, "no")), "author_failure", {"model": "c", "message": "no"}),
        (PickMade(call("c"), Completion("A")), "pick", {"model": "c", "text": "A"}),
        (TextDelta("two\n\u2028\n"), "text", {"text": "two\n\u2028\n"}),
        (
            Answered(Completion("two"), DecidedBy.CRITIC, "c"),
            "answer",
            {"text": "two", "author": "c", "decided_by": "critic"},
        ),
    ],
)
def test_an_event_is_sent_after_the_beginning(event: Event, name: str, data: dict[str, Any]) -> None:
    """Which has the id of the trace, and is sent once."""
    writer = stream()
    assert events(writer.read(event)) == [("begin", {"id": "chatcmpl-1"}), (name, data)]
    assert events(writer.read(event)) == [(name, data)]


def test_other_events_are_not_sent() -> None:
    """They neither begin nor continue the stream."""
    assert stream().read(PanelSettled(1, 1, 0.5)) == b""


def test_texts_of_members_are_collected_for_the_next_heartbeat() -> None:
    """In one piece for each member and attempt; without any, a comment keeps the connection alive."""
    writer, one, two = stream(), call("a"), call("b")
    for member, attempt, text in ((one, 1, "He"), (two, 1, "Hi"), (one, 2, "Bye"), (one, 1, "llo")):
        writer.read_candidate_text(member, attempt, text)
    assert events(writer.heartbeat()) == [
        ("begin", {"id": "chatcmpl-1"}),
        ("writing", {"model": "a", "attempt": 1, "text": "Hello"}),
        ("writing", {"model": "b", "attempt": 1, "text": "Hi"}),
        ("writing", {"model": "a", "attempt": 2, "text": "Bye"}),
    ]
    assert writer.heartbeat() == b": keep-alive\n\n"


def test_pieces_do_not_follow_the_whole_text() -> None:
    """What a member wrote since the last heartbeat is part of its candidate."""
    writer, one, two = stream(), call("a"), call("b")
    writer.read_candidate_text(one, 1, "Hel")
    writer.read_candidate_text(two, 1, "Hi")
    writer.read(CandidateArrived(one, Completion("Hello")))
    assert events(writer.heartbeat()) == [("writing", {"model": "b", "attempt": 1, "text": "Hi"})]


def test_a_stream_ends_with_its_usage_or_its_error() -> None:
    """Either is an event of its own."""
    writer = stream()
    assert events(writer.end({"total_tokens": 3}))[-1] == ("end", {"usage": {"total_tokens": 3}})
    assert events(writer.fail(ApiError(502, "all failed", code="x"))) == [("error", {"message": "all failed"})]
