"""The interface of a client API: a parser of requests, and a writer of replies from a run's events.

Everything else (finding the model, budgets, traces, heartbeats, shutdown) is handlers/api/exchange.py, once for all
APIs. A further API is a folder with parse.py (body to `ChatRequest`), replies.py (a `StreamWriter` and the JSON body),
api.py (the `ClientApi`) and openapi.py (its paths in the OpenAPI document), and a line in handlers/api/apis.py.
"""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from aiohttp import web

from config.settings import Server
from handlers.api.reply.shown_work import ShownWork
from handlers.errors import ApiError
from runtime.frozen import frozen
from synth.events import Event, Finished
from synth.request import ChatRequest
from upstream.calls import Call


@frozen
class Envelope:
    """The fields that every part of a reply has: id, creation time in Unix seconds, model as the client named it."""

    reply_id: str
    created: int
    model: str


class StreamWriter(Protocol):
    """Serializes the events of one run as the server-sent events of a client API."""

    def opening(self) -> bytes:
        """Return the bytes before the first content; b"" if they were returned before."""
        ...

    def read(self, event: Event) -> bytes:
        """Return the bytes for an event; often b""."""
        ...

    def heartbeat(self) -> bytes:
        """Return bytes that this API's clients accept as a sign of life."""
        ...

    def end(self, usage: Mapping[str, Any]) -> bytes:
        """Return the bytes that complete the stream. `usage` is that of Chat Completions."""
        ...

    def fail(self, error: ApiError) -> bytes:
        """Return the bytes that end a stream that cannot be completed."""
        ...


@runtime_checkable
class CandidateReader(Protocol):
    """A stream writer that shows candidates while they are written. The proposers are then asked for streams."""

    def read_candidate_text(self, call: Call, attempt: int, text: str) -> None:
        """Take in the next piece of a proposer's text, in the proposer's own task; must not block.

        `attempt` is the number of the attempt that brings it: a retry or a hedge begins the text anew.
        """
        ...


class ParsedRequest(Protocol):
    """A client's parsed request, with the facts that its reply needs."""

    @property
    def chat(self) -> ChatRequest:
        """The request as the rest of the gateway understands it."""
        ...

    def stream_writer(self, envelope: Envelope, work: ShownWork) -> StreamWriter:
        """Return the writer of a streamed reply."""
        ...

    def build_body(
        self, envelope: Envelope, finished: Finished, usage: Mapping[str, Any], work: ShownWork
    ) -> dict[str, Any]:
        """Return the reply as one JSON object."""
        ...


@frozen
class Pulse:
    """When a silent stream is kept alive, in seconds.

    `first_s` is the silence before the first byte that is allowed (0: unlimited). Until then a failure still has a
    status of its own. `interval_s` is the silence allowed after it (0: unlimited).
    """

    first_s: float
    interval_s: float


class ClientApi(Protocol):
    """A protocol that clients speak. `name` is its name in logs, metrics and traces."""

    name: str
    needs_media_type: bool
    """Whether a request without a Content-Type is refused."""
    fails_in_stream: bool
    """Whether a stream that fails before its first byte is a 200 with an error event, rather than an error status."""

    def parse(self, fields: Mapping[str, Any]) -> ParsedRequest:
        """Return the request in a decoded body. Raises ApiError (400) if it is invalid."""
        ...

    def pulse(self, server: Server) -> Pulse:
        """Return when a stream is kept alive."""
        ...

    def respond(self, error: ApiError, request_id: str) -> web.Response:
        """Return the error reply in this API's shape."""
        ...
