"""GET /metrics: Prometheus metrics from the records of finished requests and the gateway's current snapshot.

Labels are bounded: names come from config.yaml, all others from small closed sets. A record is counted at once and not
kept until the scrape, because its ledger holds whole conversations.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

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
from handlers.telemetry.counters import Counter, Histogram
from synth.events import DecidedBy, EvidenceFound
from synth.ledger import count_tokens, price_tokens
from upstream.breaker import State as BreakerState
from upstream.calls import Attempt, Call

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300)
_SIZES = (0, 1, 2, 3, 4, 6, 8, 16)
_SKIPS = frozenset(
    {
        DecidedBy.ONLY_CANDIDATE,
        DecidedBy.EQUAL_CANDIDATES,
        DecidedBy.EVIDENCE,
        DecidedBy.FIRST,
        DecidedBy.BYPASS,
    }
)
_RUN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    """The metrics of one application; call `count_request` with each finished request."""

    def __init__(self) -> None:
        self._requests = Counter("mom_requests", "Chat requests", "api", "mixture", "mode", "outcome")
        self._shared = Counter("mom_shared_requests", "Requests answered by another one's run", "api", "kind")
        self._request_s = Histogram("mom_request_seconds", "Time of chat requests", _SECONDS, "mixture", "mode")
        self._first_chunk_s = Histogram(
            "mom_first_chunk_seconds", "Time to a stream's first chunk", _SECONDS, "mixture"
        )
        self._errors = Counter("mom_errors", "Error replies on all paths", "code")
        self._bytes_in = Counter("mom_request_bytes", "Bytes received in bodies of chat requests")
        self._bytes_out = Counter("mom_reply_bytes", "Bytes sent in bodies of their replies")
        self._queued_s = Histogram("mom_queued_seconds", "Time that requests waited in the queue", _SECONDS)
        self._panel_s = Histogram("mom_panel_seconds", "Time until the panel settled", _SECONDS, "mixture")
        self._panel_size = Histogram("mom_candidates", "Usable candidates of a panel", _SIZES, "mixture")
        self._quorum_wait_s = Histogram(
            "mom_quorum_wait_seconds", "Time spent waiting for stragglers after the quorum", _SECONDS, "mixture"
        )
        self._evidence = Counter("mom_evidence", "Requests whose candidates were run", "mixture", "by", "decided")
        self._evidence_s = Histogram("mom_evidence_seconds", "Time to run all candidates", _RUN_SECONDS, "mixture")
        self._examined = Counter("mom_evidence_candidates", "Candidates that were run", "mixture", "result")
        self._skips = Counter("mom_critic_skips", "Answers without a critic", "mixture", "reason")
        self._calls = Counter("mom_calls", "Calls of models", "model", "role", "outcome")
        self._call_s = Histogram("mom_call_seconds", "Time of calls", _SECONDS, "model", "role")
        self._attempts = Counter("mom_attempts", "HTTP tries: first, retry or hedge", "model", "kind", "outcome")
        self._first_byte_s = Histogram("mom_first_byte_seconds", "Time to an attempt's first byte", _SECONDS, "model")
        self._tokens = Counter("mom_tokens", "Tokens used", "model", "kind")
        self._cached = Counter("mom_cached_tokens", "Prompt tokens that the upstream served from its cache", "model")
        self._written = Counter("mom_cache_write_tokens", "Prompt tokens that the upstream wrote to its cache", "model")
        self._cost = Counter("mom_cost", "Money spent, in server.currency", "model")
        self._metrics = [each for each in vars(self).values() if isinstance(each, Counter | Histogram)]

    def families(self) -> list[Metric]:
        """Return the current samples of every metric."""
        return [*(each.family() for each in self._metrics), self._hit_rates()]

    def _hit_rates(self) -> Metric:
        """Return the share of each model's prompts that came from its upstream's cache, of models that report any."""
        help_text = "Share of the prompt tokens since the start that the upstream served from its cache"
        family = GaugeMetricFamily("mom_cache_hit_ratio", help_text, labels=["model"])
        for (model,), cached in self._cached.items():
            family.add_metric([model], cached / self._tokens[model, "prompt"])
        return family

    def count_request(self, record: RequestRecord, seconds: float) -> None:
        """Count a request that has ended, however it ended. Of requests other than chat only an error is counted."""
        if record.error is not None:
            self._errors[record.error["code"] or "",] += 1
        if record.bytes_in:
            self._bytes_in[()] += record.bytes_in
            self._bytes_out[()] += record.bytes_out
        if record.mode is not None:
            self._count_run(record, record.mode, seconds)

    def _count_run(self, record: RequestRecord, mode: str, seconds: float) -> None:
        mixture = record.mixture or ""
        self._requests[record.api or "", mixture, mode, record.outcome] += 1
        self._request_s.observe(seconds, mixture, mode)
        if record.first_chunk_s is not None:
            self._first_chunk_s.observe(record.first_chunk_s, mixture)
        if record.queued_s is not None:
            self._queued_s.observe(record.queued_s)
        if record.shared is not None:
            self._shared[record.api or "", record.shared] += 1
        if record.shared is None or record.ledger.calls:  # the others have only watched
            self._count_panel(record, mixture)

    def _count_panel(self, record: RequestRecord, mixture: str) -> None:
        if record.n_asked:
            self._panel_s.observe(record.panel_s or 0.0, mixture)
            self._panel_size.observe(record.n_candidates, mixture)
        if record.quorum_wait_s is not None:
            self._quorum_wait_s.observe(record.quorum_wait_s, mixture)
        if record.evidence is not None:
            self._count_evidence(record.evidence, mixture, record.decided_by == DecidedBy.EVIDENCE)
        if record.decided_by in _SKIPS:
            self._skips[mixture, record.decided_by] += 1
        for call in record.ledger.calls:
            self._count_call(call)

    def _count_evidence(self, found: EvidenceFound, mixture: str, has_decided: bool) -> None:  # noqa: FBT001 -- a label
        ranking = found.ranking
        self._evidence[mixture, ranking.by or "none", str(has_decided).lower()] += 1
        self._evidence_s.observe(ranking.run_s, mixture)
        self._examined[mixture, "passed"] += ranking.n_passed
        self._examined[mixture, "unknown"] += ranking.n_unknown
        self._examined[mixture, "other"] += max(0, ranking.n_ran - ranking.n_passed - ranking.n_unknown)

    def _count_call(self, call: Call) -> None:
        model, tokens = call.model.name, count_tokens(call)
        self._calls[model, call.role, call.outcome] += 1
        if call.started is not None and call.ended is not None:
            self._call_s.observe(call.ended - call.started, model, call.role)
        self._tokens[model, "prompt"] += tokens.prompt
        self._tokens[model, "completion"] += tokens.completion
        if tokens.cached:
            self._cached[model,] += tokens.cached
        if tokens.written:
            self._written[model,] += tokens.written
        if call.model.price is not None:
            self._cost[model,] += price_tokens(tokens, call.model.price).cost
        for attempt in call.attempts:
            self._attempts[model, kind_of(call, attempt), attempt.outcome] += 1
            if attempt.first_byte is not None:
                self._first_byte_s.observe(attempt.first_byte - attempt.started, model)


METRICS = web.AppKey("metrics", Metrics)


def kind_of(call: Call, attempt: Attempt) -> str:
    """Return `first`, `retry`, or `hedge` (an attempt started beside a running one)."""
    if attempt.hedge:
        return "hedge"
    return "first" if attempt is call.attempts[0] else "retry"


def _gauges(app: web.Application, cost_today: Decimal) -> Iterator[Metric]:
    """Yield the values at the moment of the scrape: load, readiness, today's cost, and the state of each breaker."""
    admission, snapshot = app[ADMISSION], app[SNAPSHOTS].current
    yield GaugeMetricFamily("mom_requests_running", "Chat requests running", value=admission.running)
    yield GaugeMetricFamily("mom_requests_waiting", "Chat requests waiting in the queue", value=admission.waiting)
    yield GaugeMetricFamily("mom_ready", "1 if every model can be asked", value=not snapshot.not_ready())
    if RELOADER in app:
        help_text = "1 if the last read of config.yaml succeeded and is in force"
        yield GaugeMetricFamily("mom_config_last_reload_successful", help_text, value=app[RELOADER].is_current)
    limit = snapshot.settings.server.max_cost_per_day
    yield GaugeMetricFamily("mom_cost_today", "Money spent since midnight UTC", value=float(cost_today))
    if limit is not None:
        yield GaugeMetricFamily("mom_cost_limit", "server.max_cost_per_day", value=float(limit))
    if snapshot.store is not None:
        yield GaugeMetricFamily("mom_store_up", "0 while the store fails", value=not snapshot.store.problem)
    breakers = GaugeMetricFamily(
        "mom_breaker_state", "1 for the current state of the breaker", labels=["model", "state"]
    )
    for model, status in snapshot.pool.breakers().items():
        for each in BreakerState:
            breakers.add_metric([model, each], float(status.state is each))
    yield breakers


class _Scrape(Collector):
    """The metric families of one scrape."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        yield from self._families

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: each registry has one scrape, so names cannot collide."""
        yield from ()


async def show_metrics(request: web.Request) -> web.Response:
    """Return the metrics in Prometheus' text format, or in OpenMetrics if the client accepts it."""
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    cost_today = await request.app[SPENDING].read_cost_today()
    families = [*request.app[METRICS].families(), *_gauges(request.app, cost_today)]
    body = await asyncio.to_thread(_encode_scrape, families, encode)
    return web.Response(body=body, headers={"Content-Type": content_type})


def _encode_scrape(families: Sequence[Metric], encode: Callable[[CollectorRegistry], bytes]) -> bytes:
    """Return the text of a scrape, with the process metrics. Blocks: a thousand lines take 5 ms."""
    registry = CollectorRegistry()
    registry.register(_Scrape(families))
    ProcessCollector(registry=registry)
    return encode(registry)
