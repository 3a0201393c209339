"""What the spans of one request say: built from its record when it has ended, so that nothing is measured twice. Pure.

One span is the request, one below it each call of a model, one below that each HTTP try. Names follow OpenTelemetry's
semantic conventions for HTTP and for generative AI (https://github.com/open-telemetry/semantic-conventions-genai);
`mom.` is before what those do not know. No span holds anything that a client, a model or an upstream has said: no
prompt, no answer, no message of an error. No URL either, for a path may be a key; host and port alone are told.
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
from upstream.calls import Attempt, Call
from upstream.openai import wire

Attribute = str | int | float | bool
_Stated = Mapping[str, Attribute | None]

TRACE_CONTEXT = ("traceparent", "tracestate")
"""The headers by which a client says whose part its request is (https://www.w3.org/TR/trace-context/)."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
_NO_FAILURE = frozenset({"ok", "cancelled", "running"})
_MAX_CHARS = 256
# The registry's words where they are not ours. Without a provider it is some service that speaks OpenAI's language.
_PROVIDERS = {"google": "gcp.gemini", "mistral": "mistral_ai", None: "openai"}
_WHOLE = {"max_tokens": "max_tokens", "max_completion_tokens": "max_tokens", "seed": "seed", "n": "choice.count"}
_REAL = ("temperature", "top_p", "frequency_penalty", "presence_penalty")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, in seconds since the epoch, and what it holds. `failed` is the kind of its failure.

    `moments` are named instants inside it.
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
class Ended:
    """A request that has ended: its record, and what of HTTP belongs to it.

    `ended` is on the record's clock, and `epoch` what to add to that for the time of day. `route` is the path as it is
    registered, None where there is none such. `context` are those headers of TRACE_CONTEXT that the client sent.
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
    """Takes requests that have ended, and makes spans of them elsewhere."""

    def add(self, ended: Ended) -> None:
        """Take one in. Never blocks, never raises."""
        ...


SPANS: web.AppKey[Spans | None] = web.AppKey("spans")
"""None where no collector wants any."""


def request_span(ended: Ended) -> Span:
    """Return a request's span with those of its calls below it."""
    record, method = ended.record, ended.method if ended.method in _METHODS else "_OTHER"
    is_cancelled = record.outcome == "cancelled"
    code = str(record.error["code"] or ended.status) if record.error else None
    http: _Stated = {
        "http.request.method": method,
        "http.route": ended.route,
        "url.path": ended.path,
        "url.scheme": "http",
        "http.response.status_code": None if is_cancelled else ended.status,
        "error.type": code,
        "mom.request_id": ended.request_id,
        "mom.client": record.client,
        "mom.queued_s": record.queued_s,
    }
    calls = tuple(_call_span(call, ended.epoch) for call in record.ledger.calls if call.started is not None)
    return Span(
        f"{method} {ended.route}" if ended.route else method,
        "server",
        record.started + ended.epoch,
        ended.ended + ended.epoch,
        _known({**http, **(_run(record) if record.mode is not None else {})}),
        failed=code if ended.status >= HTTPStatus.INTERNAL_SERVER_ERROR else None,
        children=calls,
    )


def _run(record: RequestRecord) -> _Stated:
    """Return what a chat request's span says. Tokens stand at its calls: they would count twice here."""
    asked_for = record.mixture or next((call.model.name for call in record.ledger.calls), None)
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": asked_for,
        "gen_ai.request.stream": record.stream,
        "gen_ai.response.id": record.reply_id,
        "gen_ai.response.time_to_first_chunk": record.first_chunk_s,
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
    stated: _Stated = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(call.model.provider, call.model.provider),
        "gen_ai.request.model": call.model.model,
        "gen_ai.response.model": _answered_by(call),
        "gen_ai.usage.input_tokens": tokens.prompt,
        "gen_ai.usage.output_tokens": tokens.completion,
        "gen_ai.usage.cache_read.input_tokens": tokens.cached or None,
        "error.type": failed,
        "mom.model": call.name,
        "mom.role": call.role,
        "mom.outcome": str(call.outcome),
        "mom.tokens_estimated": tokens.estimated or None,
        "mom.cost": as_number(compute_cost(call)),
        **_asked(call),
        **_place(call),
    }
    started = (call.started or 0.0) + epoch
    attempts = tuple(_attempt_span(call, number, attempt, epoch) for number, attempt in enumerate(call.attempts))
    name = f"chat {call.model.model}"
    ended = started if call.ended is None else call.ended + epoch
    return Span(name, "client", started, ended, _known(stated), failed, children=attempts)


def _attempt_span(call: Call, number: int, attempt: Attempt, epoch: float) -> Span:
    failed = _failure(attempt.outcome)
    stated: _Stated = {
        "http.request.method": "POST",
        "http.request.resend_count": number or None,
        "http.response.status_code": attempt.status,
        "error.type": failed,
        "mom.attempt": kind_of(call, attempt),
        "mom.outcome": str(attempt.outcome),
        **_place(call),
    }
    moments = () if attempt.first_byte is None else (("first byte", attempt.first_byte + epoch),)
    ended = attempt.started if attempt.ended is None else attempt.ended
    return Span("POST", "client", attempt.started + epoch, ended + epoch, _known(stated), failed, moments)


def _asked(call: Call) -> _Stated:
    """Return those parameters of a call that the conventions know, where they are what they should be."""
    params = wire.merge_params(call.params, {**call.model.params, **call.overrides})
    return dict(_numbers(params))


def _numbers(params: Mapping[str, Any]) -> Iterator[tuple[str, Attribute]]:
    for name, value in params.items():
        if isinstance(value, bool):
            continue
        if name in _WHOLE and isinstance(value, int) and value.bit_length() < 64:  # noqa: PLR2004 -- an int64 there
            yield f"gen_ai.request.{_WHOLE[name]}", value
        elif name in _REAL and isinstance(value, int | float):
            yield f"gen_ai.request.{name}", float(value)


def _place(call: Call) -> _Stated:
    """Return where a model is asked; an embedded one is asked at another port after each of its starts."""
    if not call.model.base_url:
        return {}
    parts = urlsplit(call.model.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {"server.address": parts.hostname, "server.port": port}


def _answered_by(call: Call) -> str | None:
    """Return what the upstream says which model has answered."""
    stated = next((attempt.stated_model for attempt in call.attempts if attempt.outcome == "ok"), None)
    return stated[:_MAX_CHARS] if isinstance(stated, str) else None


def _failure(outcome: str) -> str | None:
    return None if outcome in _NO_FAILURE else str(outcome)


def _known(stated: _Stated) -> dict[str, Attribute]:
    return {name: value for name, value in stated.items() if value is not None}
