"""GET /metrics: what an operator scrapes. A reader of finished requests' records, and of the gateway's state.

Labels are bounded: names come from config.yaml, everything else from small closed sets. A record is taken in at once,
and not kept for the scrape: its ledger holds whole conversations.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from handlers.gate.admission import ADMISSION
from handlers.gate.spending import SPENDING
from handlers.lifecycle.reload import RELOADER
from handlers.lifecycle.snapshots import SNAPSHOTS
from handlers.request_record import RequestRecord
from handlers.telemetry.counters import Count, Spread
from synth.events import DecidedBy
from synth.ledger import count_tokens, price_tokens
from upstream.breaker import State as BreakerState
from upstream.calls import Attempt, Call

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300)
_SIZES = (0, 1, 2, 3, 4, 6, 8, 16)
_SKIPS = frozenset({DecidedBy.ONLY_CANDIDATE, DecidedBy.EQUAL_CANDIDATES, DecidedBy.FIRST, DecidedBy.BYPASS})


class Metrics:
    """The sums of one application; `note` takes in a request when it has ended."""

    def __init__(self) -> None:
        self._requests = Count("mom_requests", "Chat requests", "mixture", "mode", "outcome")
        self._request_s = Spread("mom_request_seconds", "Time of chat requests", _SECONDS, "mixture", "mode")
        self._first_chunk_s = Spread("mom_first_chunk_seconds", "Time to a stream's first chunk", _SECONDS, "mixture")
        self._errors = Count("mom_errors", "Error replies, of any path", "code")
        self._bytes_in = Count("mom_request_bytes", "Bytes of chat requests' bodies")
        self._bytes_out = Count("mom_reply_bytes", "Bytes of their replies' bodies")
        self._queued_s = Spread("mom_queued_seconds", "Time that requests waited to be let in", _SECONDS)
        self._panel_s = Spread("mom_panel_seconds", "Time until the panel had settled", _SECONDS, "mixture")
        self._panel_size = Spread("mom_candidates", "Usable candidates of a panel", _SIZES, "mixture")
        self._quorum_wait_s = Spread(
            "mom_quorum_wait_seconds", "Time that a panel was waited for after its quorum", _SECONDS, "mixture"
        )
        self._skips = Count("mom_critic_skips", "Answers without a critic", "mixture", "reason")
        self._calls = Count("mom_calls", "Calls of models", "model", "role", "outcome")
        self._call_s = Spread("mom_call_seconds", "Time of calls", _SECONDS, "model", "role")
        self._attempts = Count("mom_attempts", "HTTP tries: first, retry or hedge", "model", "kind", "outcome")
        self._first_byte_s = Spread("mom_first_byte_seconds", "Time to an attempt's first byte", _SECONDS, "model")
        self._tokens = Count("mom_tokens", "Tokens used", "model", "kind")
        self._cached = Count("mom_cached_tokens", "Tokens of prompts that the upstream had read before", "model")
        self._cost = Count("mom_cost", "Money spent, in server.currency", "model")
        self._sums = [each for each in vars(self).values() if isinstance(each, Count | Spread)]

    def families(self) -> list[Metric]:
        """Return every sum as it is now."""
        return [each.family() for each in self._sums]

    def note(self, record: RequestRecord, seconds: float) -> None:
        """Take in a request that has ended, whichever way; of what was no chat request only an error counts."""
        if record.error is not None:
            self._errors[record.error["code"] or "",] += 1
        if record.bytes_in:
            self._bytes_in[()] += record.bytes_in
            self._bytes_out[()] += record.bytes_out
        if record.mode is not None:
            self._note_run(record, record.mode, seconds)

    def _note_run(self, record: RequestRecord, mode: str, seconds: float) -> None:
        mixture = record.mixture or ""
        self._requests[mixture, mode, record.outcome] += 1
        self._request_s.add(seconds, mixture, mode)
        if record.first_chunk_s is not None:
            self._first_chunk_s.add(record.first_chunk_s, mixture)
        if record.queued_s is not None:
            self._queued_s.add(record.queued_s)
        if record.n_asked:
            self._panel_s.add(record.panel_s or 0.0, mixture)
            self._panel_size.add(record.n_candidates, mixture)
        if record.quorum_wait_s is not None:
            self._quorum_wait_s.add(record.quorum_wait_s, mixture)
        if record.decided_by in _SKIPS:
            self._skips[mixture, record.decided_by] += 1
        for call in record.ledger.calls:
            self._note_call(call)

    def _note_call(self, call: Call) -> None:
        model, tokens = call.model.name, count_tokens(call)
        self._calls[model, call.role, call.outcome] += 1
        if call.started is not None and call.ended is not None:
            self._call_s.add(call.ended - call.started, model, call.role)
        self._tokens[model, "prompt"] += tokens.prompt
        self._tokens[model, "completion"] += tokens.completion
        if tokens.cached:
            self._cached[model,] += tokens.cached
        if call.model.price is not None:
            self._cost[model,] += price_tokens(tokens, call.model.price).cost
        for attempt in call.attempts:
            self._attempts[model, kind_of(call, attempt), attempt.outcome] += 1
            if attempt.first_byte is not None:
                self._first_byte_s.add(attempt.first_byte - attempt.started, model)


METRICS = web.AppKey("metrics", Metrics)


def kind_of(call: Call, attempt: Attempt) -> str:
    """Return whether an attempt was its call's first, a retry, or a hedge beside another one."""
    if attempt.hedge:
        return "hedge"
    return "first" if attempt is call.attempts[0] else "retry"


def _now(app: web.Application) -> Iterator[Metric]:
    """Yield what is so at the moment of the scrape: load, readiness, today's money, and each model's breaker."""
    admission, snapshot = app[ADMISSION], app[SNAPSHOTS].current
    yield GaugeMetricFamily("mom_requests_running", "Chat requests under way", value=admission.running)
    yield GaugeMetricFamily("mom_requests_waiting", "Chat requests that wait to be let in", value=admission.waiting)
    yield GaugeMetricFamily("mom_ready", "1 where every model can be asked", value=not snapshot.not_ready())
    if RELOADER in app:
        told = "1 where config.yaml is in force as it was when it was last read"
        yield GaugeMetricFamily("mom_config_last_reload_successful", told, value=app[RELOADER].is_current)
    today, limit = app[SPENDING].spent().cost, snapshot.settings.server.max_cost_per_day
    yield GaugeMetricFamily("mom_cost_today", "Money spent since midnight UTC", value=float(today))
    if limit is not None:
        yield GaugeMetricFamily("mom_cost_limit", "server.max_cost_per_day", value=float(limit))
    breakers = GaugeMetricFamily("mom_breaker_state", "1 for the state of a breaker", labels=["model", "state"])
    for model, status in snapshot.pool.breakers().items():
        for each in BreakerState:
            breakers.add_metric([model, each], float(status.state is each))
    yield breakers


class _Scrape(Collector):
    """What one scrape has found."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Yield all of it."""
        yield from self._families

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: nobody else is in the registry whose names could be the same."""
        yield from ()


async def metrics(request: web.Request) -> web.Response:
    """Show the metrics in Prometheus's text format, or in OpenMetrics where the client asks for that."""
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    families = [*request.app[METRICS].families(), *_now(request.app)]
    body = await asyncio.to_thread(_exposed, families, encode)
    return web.Response(body=body, headers={"Content-Type": content_type})


def _exposed(families: Sequence[Metric], encode: Callable[[CollectorRegistry], bytes]) -> bytes:
    """Return the text of a scrape, with what the system tells of the process. Blocks: a thousand lines take 5 ms."""
    registry = CollectorRegistry()
    registry.register(_Scrape(families))
    ProcessCollector(registry=registry)
    return encode(registry)
