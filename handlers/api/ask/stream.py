"""A run as server-sent events, for people. Pure.

The members of a panel write at the same time, in tasks of their own, while the stream is written by the run's task
alone. So a member's text is only collected here, and sent with the next heartbeat: a few times a second, in one piece
for each member and attempt, whatever the number of tokens. A retry or a hedge begins the text anew, and a hedge writes
at the same time as the attempt before it, so each piece carries the number of its attempt, and the client shows
the latest. The final text comes with `candidate`, whichever attempt it is from.

Each event has a name, and repeats it as `type` in its data, for clients whose reader drops names. A client skips the
events that it does not know.
"""

from collections.abc import Callable, Mapping
from typing import Any

from handlers.api.client_api import Envelope
from handlers.errors import ApiError
from handlers.request_record import rounded
from runtime.json_codec import encode_ascii
from synth.events import (
    Answered,
    AuthorFailed,
    AuthorStarted,
    CandidateArrived,
    CandidateFailed,
    Event,
    EvidenceFound,
    ModeChosen,
    PickMade,
    ProposerLeftOut,
    ReasoningDelta,
    StageStarted,
    TextDelta,
)
from upstream.calls import Call


class AskStream:
    """Serializes the events of one run, each under a name of its own (_DESCRIPTIONS)."""

    def __init__(self, envelope: Envelope) -> None:
        self._id = envelope.reply_id
        self._has_begun = False
        self._new_texts: dict[tuple[str, int], list[str]] = {}

    def opening(self) -> bytes:
        """Return `begin`, with the id of the trace."""
        if self._has_begun:
            return b""
        self._has_begun = True
        return _event("begin", {"id": self._id})

    def read_candidate_text(self, call: Call, attempt: int, text: str) -> None:
        """Collect a piece of a member's text, for the next heartbeat."""
        self._new_texts.setdefault((call.name, attempt), []).append(text)

    def heartbeat(self) -> bytes:
        """Return `writing` for each attempt with new text, or a comment, which keeps the connection alive."""
        texts, self._new_texts = self._new_texts, {}
        events = [
            _event("writing", {"model": name, "attempt": attempt, "text": "".join(pieces)})
            for (name, attempt), pieces in texts.items()
        ]
        return self.opening() + (b"".join(events) or b": keep-alive\n\n")

    def read(self, event: Event) -> bytes:
        """Return an event's bytes; b"" for an event that is not shown."""
        if isinstance(event, CandidateArrived | CandidateFailed):
            self._drop_texts(event.call.name)
        describe = _DESCRIPTIONS.get(type(event))
        return b"" if describe is None else self._send(*describe(event))

    def _drop_texts(self, name: str) -> None:
        """Drop a member's collected text: its whole text, or the cause of its failure, follows."""
        self._new_texts = {key: pieces for key, pieces in self._new_texts.items() if key[0] != name}

    def end(self, usage: Mapping[str, Any]) -> bytes:
        """Return `end`, with the tokens of all calls, and their cost if it is known."""
        return self._send("end", {"usage": usage})

    def fail(self, error: ApiError) -> bytes:
        """Return `error`, with the message."""
        return self._send("error", {"message": error.body()["error"]["message"]})

    def _send(self, name: str, data: Mapping[str, Any]) -> bytes:
        return self.opening() + _event(name, data)


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {encode_ascii({'type': name, **data})}\n\n".encode("ascii")


_Description = tuple[str, Mapping[str, Any]]


def _describe_mode(event: ModeChosen) -> _Description:
    return "mode", {"mode": event.mode, "bypass": event.bypass}


def _describe_stage(event: StageStarted) -> _Description:
    return "stage", {"stage": event.stage, "models": list(event.proposers)}


def _describe_candidate(event: CandidateArrived) -> _Description:
    call, text = event.call, event.completion.text
    took = (call.ended or 0.0) - (call.started or 0.0)
    facts = {"layer": event.layer, "finding": event.finding, "seconds": rounded(took)}
    return "candidate", {"model": call.name, "text": text, **facts}


def _describe_failure(event: CandidateFailed) -> _Description:
    kind, message = str(event.error.kind), event.error.message
    return "failure", {"model": event.call.name, "layer": event.layer, "kind": kind, "message": message}


def _describe_left_out(event: ProposerLeftOut) -> _Description:
    return "failure", {"model": event.name, "layer": event.layer, "kind": "left_out", "message": event.reason}


def _describe_evidence(event: EvidenceFound) -> _Description:
    ranking = event.ranking
    findings = {each.name: each.finding for each in ranking.standings if each.finding}
    return "evidence", {"decides": event.decides, "by": ranking.by, "findings": findings}


def _describe_author(event: AuthorStarted) -> _Description:
    return "author", {"model": event.call.name, "role": event.call.role, "reads": len(event.letters)}


def _describe_author_failure(event: AuthorFailed) -> _Description:
    return "author_failure", {"model": event.call.name, "message": event.error.message}


def _describe_pick(event: PickMade) -> _Description:
    return "pick", {"model": event.call.name, "text": event.completion.text}


def _describe_reasoning(event: ReasoningDelta) -> _Description:
    return "reasoning", {"text": event.text}


def _describe_text(event: TextDelta) -> _Description:
    return "text", {"text": event.text}


def _describe_answer(event: Answered) -> _Description:
    text, decided_by = event.completion.text, event.decided_by.value
    return "answer", {"text": text, "author": event.author, "decided_by": decided_by}


_DESCRIPTIONS: Mapping[type[Event], Callable[[Any], _Description]] = {
    ModeChosen: _describe_mode,
    StageStarted: _describe_stage,
    CandidateArrived: _describe_candidate,
    CandidateFailed: _describe_failure,
    ProposerLeftOut: _describe_left_out,
    EvidenceFound: _describe_evidence,
    AuthorStarted: _describe_author,
    AuthorFailed: _describe_author_failure,
    PickMade: _describe_pick,
    ReasoningDelta: _describe_reasoning,
    TextDelta: _describe_text,
    Answered: _describe_answer,
}
"""The name and the data of each event that is shown."""
