"""Spans to an OpenTelemetry collector, by OTLP over HTTP; needs the packages of requirements-otel.txt.

Where to, with which headers, how compressed and how much of it sampled: the SDK's own variables say, `OTEL_*`.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from handlers.telemetry.spans import Ended, Span, request_span

if TYPE_CHECKING:
    from collections.abc import Callable

_log = structlog.get_logger(__name__)

MAX_PENDING = 256
FLUSH_S = 5.0
_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}
_NS_PER_S = 1_000_000_000


class SpanSink:
    """Makes spans of requests that have ended, in a thread of its own; the SDK sends them, in another one.

    At most MAX_PENDING requests wait for the first thread; one that finds no room is dropped with a warning. `close()`
    waits for the rest, and for the collector to take it.
    """

    def __init__(self) -> None:
        exporter = OTLPSpanExporter()
        self._end_pauses: Callable[[], None] = exporter.shutdown
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("mom-gateway")
        self._parents = TraceContextTextMapPropagator()
        self._maker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spans")
        self._room = threading.BoundedSemaphore(MAX_PENDING)

    def add(self, ended: Ended) -> None:
        """Have a request's spans made soon. Never blocks, and never raises before `close()`."""
        if not self._room.acquire(blocking=False):
            _log.warning("spans dropped: too many requests wait for theirs", request_id=ended.request_id)
            return
        self._maker.submit(self._make, ended).add_done_callback(self._made)

    def close(self) -> None:
        """Send what there is, for FLUSH_S seconds at most. Blocks: call it in a thread."""
        self._maker.shutdown(wait=True)
        flushing = threading.Thread(target=self._provider.shutdown, name="spans-flush", daemon=True)
        flushing.start()
        flushing.join(FLUSH_S)
        if flushing.is_alive():
            _log.warning("spans lost: the collector did not take them in time", seconds=FLUSH_S)
            self._end_pauses()  # those of the SDK between its tries

    def _make(self, ended: Ended) -> None:
        self._emit(request_span(ended), self._parents.extract(ended.context))

    def _emit(self, said: Span, parent: Context) -> None:
        span = self._tracer.start_span(
            said.name,
            context=parent,
            kind=_KINDS[said.kind],
            attributes=said.attributes,
            start_time=_ns(said.started),
        )
        for name, instant in said.moments:
            span.add_event(name, timestamp=_ns(instant))
        if said.failed is not None:
            span.set_status(Status(StatusCode.ERROR, said.failed))
        for child in said.children:
            self._emit(child, set_span_in_context(span, parent))
        span.end(_ns(said.ended))

    def _made(self, done: "Future[None]") -> None:
        self._room.release()
        error = done.exception()
        if error is not None:
            _log.error("the spans of a request could not be made", exc_info=error)


def _resource() -> Resource:
    """Return who we are: as OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say, else by our own name."""
    stated = Resource.create()
    if str(stated.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return stated.merge(Resource({SERVICE_NAME: "mom-gateway"}))
    return stated


def _ns(seconds: float) -> int:
    return int(seconds * _NS_PER_S)
