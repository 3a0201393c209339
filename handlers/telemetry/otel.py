"""Export spans to an OpenTelemetry collector by OTLP over HTTP; needs the packages of requirements-otel.txt.

Address, headers, compression and sampling are set by the SDK's own environment variables, `OTEL_*`.
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

from handlers.telemetry.spans import FinishedRequest, Span, request_span

if TYPE_CHECKING:
    from collections.abc import Callable

_log = structlog.get_logger(__name__)

MAX_PENDING = 256
FLUSH_S = 5.0
_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}
_NS_PER_S = 1_000_000_000


class SpanSink:
    """Builds the spans of finished requests in a thread of its own; the SDK sends them in another one.

    At most MAX_PENDING requests wait for the first thread; further ones are dropped with a warning. `close()` waits for
    the rest, and for the collector to accept it.
    """

    def __init__(self) -> None:
        exporter = OTLPSpanExporter()
        self._stop_retrying: Callable[[], None] = exporter.shutdown
        self._provider = TracerProvider(resource=_build_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("mom-gateway")
        self._parents = TraceContextTextMapPropagator()
        self._builder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spans")
        self._room = threading.BoundedSemaphore(MAX_PENDING)

    def add(self, request: FinishedRequest) -> None:
        """Queue a request for the export of its spans. Never blocks, and never raises before `close()`."""
        if not self._room.acquire(blocking=False):
            _log.warning("spans dropped: the export queue is full", request_id=request.request_id)
            return
        self._builder.submit(self._export, request).add_done_callback(self._on_exported)

    def close(self) -> None:
        """Send the remaining spans, for FLUSH_S seconds at most. Blocks: call it in a thread."""
        self._builder.shutdown(wait=True)
        flushing = threading.Thread(target=self._provider.shutdown, name="spans-flush", daemon=True)
        flushing.start()
        flushing.join(FLUSH_S)
        if flushing.is_alive():
            _log.warning("spans lost: the collector did not accept them in time", seconds=FLUSH_S)
            self._stop_retrying()  # ends the SDK's pauses between attempts

    def _export(self, request: FinishedRequest) -> None:
        self._emit(request_span(request), self._parents.extract(request.context))

    def _emit(self, span_data: Span, parent: Context) -> None:
        span = self._tracer.start_span(
            span_data.name,
            context=parent,
            kind=_KINDS[span_data.kind],
            attributes=span_data.attributes,
            start_time=_ns(span_data.started),
        )
        for name, instant in span_data.moments:
            span.add_event(name, timestamp=_ns(instant))
        if span_data.failed is not None:
            span.set_status(Status(StatusCode.ERROR, span_data.failed))
        for child in span_data.children:
            self._emit(child, set_span_in_context(span, parent))
        span.end(_ns(span_data.ended))

    def _on_exported(self, done: "Future[None]") -> None:
        self._room.release()
        error = done.exception()
        if error is not None:
            _log.error("the spans of a request could not be built", exc_info=error)


def _build_resource() -> Resource:
    """Return our resource: as set by OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES, else named mom-gateway."""
    stated = Resource.create()
    if str(stated.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return stated.merge(Resource({SERVICE_NAME: "mom-gateway"}))
    return stated


def _ns(seconds: float) -> int:
    return int(seconds * _NS_PER_S)
