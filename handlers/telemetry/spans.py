"""Build the spans of a finished request from its record, so that nothing is measured twice. Pure.

The root span is the request; below it is one for each call of a model, and below that one for each HTTP attempt. Names
follow OpenTelemetry's semantic conventions for HTTP and for generative AI
(https://github.com/open-telemetry/semantic-conventions-genai); others begin with `mom.`. Spans contain no text of a
client, model or upstream: no prompt, no answer, no error message. Nor a URL, because its path may contain a key: only
host and port.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from aiohttp import web

from handlers.request_record import RequestRecord, as_number
from handlers.telemetry.metrics import kind_of
from synth.ledger import compute_cost, count_tokens
from upstream.calls import NO_FAILURES, Attempt, Call
from upstream.openai import wire

Attribute = str | int | float | bool
_Attributes = Mapping[str, Attribute | None]

TRACE_CONTEXT = ("traceparent", "tracestate")
"""The headers that link a request to its client's trace (https://www.w3.org/TR/trace-context/)."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
_MAX_CHARS = 256
# OpenTelemetry's provider names where they differ from ours. Without a provider: some OpenAI-compatible service.
_PROVIDERS = {"google": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai", None: "openai"}
_WHOLE = {"max_tokens": "max_tokens", "max_completion_tokens": "max_tokens", "seed": "seed", "n": "choice.count"}
_REAL = ("temperature", "top_p", "frequency_penalty", "presence_penalty")


@dataclass(frozen=True, slots=True)
class Span:
    """A span, from `started` to `ended` in seconds since the epoch. `failed` is the kind of its failure.

    `moments` are named instants in it, which become span events.
    """

    name: str
    kind: Literal["server", "client"]
    started: float
    ended: float
    attributes: Mapping[str, Attribute]
    failed: str | None = None
    moments: tuple[tuple[str, float], ...] = ()
    children: tuple["Span", ...] = ()


@dataclass(frozen=True, slots=True)
class FinishedRequest:
    """A request that has ended: its record and its HTTP facts.

    `ended` is on the record's clock; add `epoch` to get seconds since the epoch. `route` is the registered path, None
    if no route matched. `context` holds those headers of TRACE_CONTEXT that the client sent.
    """

    record: RequestRecord
    request_id: str
    method: str
    path: str
    route: str | None
    context: Mapping[str, str]
    status: int
    ended: float
    epoch: float


class Spans(Protocol):
    """A sink that builds and exports the spans of finished requests elsewhere."""

    def add(self, request: FinishedRequest) -> None:
        """Queue a request. Never blocks, never raises."""
        ...


SPANS: web.AppKey[Spans | None] = web.AppKey("spans")
"""None if no collector is configured."""


def request_span(request: FinishedRequest) -> Span:
    """Return a request's span with the spans of its calls as children."""
    record, method = request.record, request.method if request.method in _METHODS else "_OTHER"
    is_cancelled = record.outcome == "cancelled"
    code = str(record.error["code"] or request.status) if record.error else None
    http: _Attributes = {
        "http.request.method": method,
        "http.route": request.route,
        "url.path": request.path,
        "url.scheme": "http",
        "http.response.status_code": None if is_cancelled else request.status,
        "error.type": code,
        "mom.request_id": request.request_id,
        "mom.client": record.client,
        "mom.queued_s": record.queued_s,
    }
    calls = tuple(_call_span(call, request.epoch) for call in record.ledger.calls if call.started is not None)
    return Span(
        f"{method} {request.route}" if request.route else method,
        "server",
        record.started + request.epoch,
        request.ended + request.epoch,
        _drop_none({**http, **(_run_attributes(record) if record.mode is not None else {})}),
        failed=code if request.status >= HTTPStatus.INTERNAL_SERVER_ERROR else None,
        children=calls,
    )


def _run_attributes(record: RequestRecord) -> _Attributes:
    """Return the attributes of a chat request. Tokens are on the spans of its calls; here they would count twice."""
    requested = record.mixture or next((call.model.name for call in record.ledger.calls), None)
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": requested,
        "gen_ai.request.stream": record.stream,
        "gen_ai.response.id": record.reply_id,
        "gen_ai.response.time_to_first_chunk": record.first_chunk_s,
        "mom.api": record.api,
        "mom.mixture": record.mixture,
        "mom.mode": record.mode,
        "mom.bypass": record.bypass,
        "mom.outcome": record.outcome,
        "mom.decided_by": record.decided_by,
        "mom.author": record.author,
        "mom.candidates": record.n_candidates,
        "mom.asked": record.n_asked,
        "mom.panel_s": record.panel_s,
        "mom.quorum_wait_s": record.quorum_wait_s,
        "mom.critic_s": record.critic_s,
        "mom.cost": as_number(record.ledger.used().cost),
        "mom.currency": record.currency,
    }


def _call_span(call: Call, epoch: float) -> Span:
    tokens, failed = count_tokens(call), _failure(call.outcome)
    attributes: _Attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(call.model.provider, call.model.provider),
        "gen_ai.request.model": call.model.model,
        "gen_ai.response.model": _response_model(call),
        "gen_ai.usage.input_tokens": tokens.prompt,
        "gen_ai.usage.output_tokens": tokens.completion,
        "gen_ai.usage.cache_read.input_tokens": tokens.cached or None,
        "gen_ai.usage.cache_creation.input_tokens": tokens.written or None,
        "error.type": failed,
        "mom.model": call.name,
        "mom.role": call.role,
        "mom.outcome": str(call.outcome),
        "mom.tokens_estimated": tokens.estimated or None,
        "mom.cost": as_number(compute_cost(call)),
        **_sampling_attributes(call),
        **_server_attributes(call),
    }
    started = (call.started or 0.0) + epoch
    attempts = tuple(_attempt_span(call, number, attempt, epoch) for number, attempt in enumerate(call.attempts))
    name = f"chat {call.model.model}"
    ended = started if call.ended is None else call.ended + epoch
    return Span(name, "client", started, ended, _drop_none(attributes), failed, children=attempts)


def _attempt_span(call: Call, number: int, attempt: Attempt, epoch: float) -> Span:
    failed = _failure(attempt.outcome)
    attributes: _Attributes = {
        "http.request.method": "POST",
        "http.request.resend_count": number or None,
        "http.response.status_code": attempt.status,
        "error.type": failed,
        "mom.attempt": kind_of(call, attempt),
        "mom.outcome": str(attempt.outcome),
        **_server_attributes(call),
    }
    moments = () if attempt.first_byte is None else (("first byte", attempt.first_byte + epoch),)
    ended = attempt.started if attempt.ended is None else attempt.ended
    return Span("POST", "client", attempt.started + epoch, ended + epoch, _drop_none(attributes), failed, moments)


def _sampling_attributes(call: Call) -> _Attributes:
    """Return the parameters of a call that the conventions name, if they have the right types."""
    params = wire.merge_params(call.params, {**call.model.params, **call.overrides})
    return dict(_iter_numbers(params))


def _iter_numbers(params: Mapping[str, Any]) -> Iterator[tuple[str, Attribute]]:
    for name, value in params.items():
        if isinstance(value, bool):
            continue
        if name in _WHOLE and isinstance(value, int) and value.bit_length() < 64:  # noqa: PLR2004 -- an int64 there
            yield f"gen_ai.request.{_WHOLE[name]}", value
        elif name in _REAL and isinstance(value, int | float):
            yield f"gen_ai.request.{name}", float(value)


def _server_attributes(call: Call) -> _Attributes:
    """Return host and port of a model's upstream, or {} for an embedded model, whose port changes at each start."""
    if not call.model.base_url:
        return {}
    parts = urlsplit(call.model.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {"server.address": parts.hostname, "server.port": port}


def _response_model(call: Call) -> str | None:
    """Return the model that answered according to the upstream."""
    stated = next((attempt.stated_model for attempt in call.attempts if attempt.outcome == "ok"), None)
    return stated[:_MAX_CHARS] if isinstance(stated, str) else None


def _failure(outcome: str) -> str | None:
    return None if outcome in NO_FAILURES else str(outcome)


def _drop_none(attributes: _Attributes) -> dict[str, Attribute]:
    return {name: value for name, value in attributes.items() if value is not None}
