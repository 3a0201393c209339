"""GET /metrics: what an operator scrapes. A reader of finished requests' records, and of the gateway's state.

Labels are bounded: names come from config.yaml, everything else from small closed sets.
"""

from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from handlers.admission import ADMISSION
from handlers.generations import GENERATIONS
from handlers.record import RequestRecord
from synth.events import DecidedBy
from synth.ledger import cost_of, tokens_of
from upstream.breaker import State as BreakerState
from upstream.calls import Call

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300)
_SIZES = (0, 1, 2, 3, 4, 6, 8, 16)
_SKIPS = frozenset({DecidedBy.ONLY_CANDIDATE, DecidedBy.EQUAL_CANDIDATES, DecidedBy.FIRST, DecidedBy.BYPASS})


class Metrics:
    """The counters of one application; `note` takes in a request when it has ended."""

    def __init__(self, app: web.Application) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Now(app))
        of = self.registry
        self._requests = Counter("mom_requests", "Chat requests", ["mixture", "mode", "outcome"], registry=of)
        self._request_s = _histogram("mom_request_seconds", "Time of chat requests", ["mixture", "mode"], of)
        self._queued_s = _histogram("mom_queued_seconds", "Time that requests waited to be let in", [], of)
        self._panel_s = _histogram("mom_panel_seconds", "Time until the panel had settled", ["mixture"], of)
        self._panel_size = Histogram(
            "mom_candidates", "Usable candidates of a panel", ["mixture"], buckets=_SIZES, registry=of
        )
        self._skips = Counter("mom_critic_skips", "Answers without a critic", ["mixture", "reason"], registry=of)
        self._calls = Counter("mom_calls", "Calls of models", ["model", "role", "outcome"], registry=of)
        self._call_s = _histogram("mom_call_seconds", "Time of calls", ["model", "role"], of)
        self._first_byte_s = _histogram("mom_first_byte_seconds", "Time to an attempt's first byte", ["model"], of)
        self._attempts = Counter("mom_attempts", "HTTP tries", ["model", "outcome"], registry=of)
        self._tokens = Counter("mom_tokens", "Tokens used", ["model", "kind"], registry=of)
        self._cost = Counter("mom_cost", "Money spent, in server.currency", ["model"], registry=of)

    def note(self, record: RequestRecord, seconds: float) -> None:
        """Take in a request that has ended, whichever way; one that was no chat request is left out."""
        if record.mode is None:
            return
        mixture = record.mixture or ""
        self._requests.labels(mixture, record.mode, record.outcome).inc()
        self._request_s.labels(mixture, record.mode).observe(seconds)
        if record.queued_s is not None:
            self._queued_s.observe(record.queued_s)
        if record.n_asked:
            self._panel_s.labels(mixture).observe(record.panel_s or 0.0)
            self._panel_size.labels(mixture).observe(record.n_candidates)
        if record.decided_by in _SKIPS:
            self._skips.labels(mixture, record.decided_by).inc()
        for call in record.ledger.calls:
            self._note_call(call)

    def _note_call(self, call: Call) -> None:
        model, tokens, cost = call.model.name, tokens_of(call), cost_of([call])
        self._calls.labels(model, call.role, call.outcome).inc()
        if call.started is not None and call.ended is not None:
            self._call_s.labels(model, call.role).observe(call.ended - call.started)
        self._tokens.labels(model, "prompt").inc(tokens.prompt)
        self._tokens.labels(model, "completion").inc(tokens.completion)
        if cost is not None:
            self._cost.labels(model).inc(float(cost))
        for attempt in call.attempts:
            self._attempts.labels(model, attempt.outcome).inc()
            if attempt.first_byte is not None:
                self._first_byte_s.labels(model).observe(attempt.first_byte - attempt.started)


METRICS = web.AppKey("metrics", Metrics)


class _Now(Collector):
    """What is so at the moment of the scrape."""

    def __init__(self, app: web.Application) -> None:
        self._app = app

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield requests that run and wait, and the state of each model's breaker."""
        admission = self._app[ADMISSION]
        yield GaugeMetricFamily("mom_requests_running", "Chat requests under way", value=admission.running)
        yield GaugeMetricFamily("mom_requests_waiting", "Chat requests that wait to be let in", value=admission.waiting)
        breakers = GaugeMetricFamily("mom_breaker_state", "1 for the state of a breaker", labels=["model", "state"])
        for model, status in self._app[GENERATIONS].current.pool.breakers().items():
            for state in BreakerState:
                breakers.add_metric([model, str(state)], float(status.state is state))
        yield breakers

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yield nothing: there is no state to ask before the application runs."""
        yield from ()


def _histogram(name: str, what: str, labels: list[str], registry: CollectorRegistry) -> Histogram:
    return Histogram(name, what, labels, buckets=_SECONDS, registry=registry)


async def metrics(request: web.Request) -> web.Response:
    """Show the metrics in Prometheus's text format."""
    body = generate_latest(request.app[METRICS].registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
