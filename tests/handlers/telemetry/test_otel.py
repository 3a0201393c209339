"""Spans of requests as a collector receives them: OTLP over HTTP, decoded with OpenTelemetry's protobuf."""

import asyncio
import gzip
import signal
from collections import defaultdict
from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

from config.settings import Critic, Price
from handlers.telemetry import otel
from tests.fakes import FakeUpstream, answer, hang, status
from tests.processes import PATIENCE_S, served
from tests.running import ask, model, running, settings

TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"
SECRET = "the answer to everything"


class Collector:
    """The spans sent to a collector. `tree` has each span's children by its id; `""` is the parent of roots."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.raw = b""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        self.raw += body
        self.requests.append(ExportTraceServiceRequest.FromString(body))
        return web.Response()

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def tree(self) -> dict[str, list[Span]]:
        found: defaultdict[str, list[Span]] = defaultdict(list)
        for span in sorted(self.spans, key=lambda span: span.start_time_unix_nano):
            found[span.parent_span_id.hex()].append(span)
        return found

    def roots(self) -> list[Span]:
        return [span for span in self.spans if span.kind == Span.SPAN_KIND_SERVER]

    def below(self, span: Span) -> list[Span]:
        return self.tree[span.span_id.hex()]


def said(span: Span | Resource) -> dict[str, Any]:
    """Return the attributes of a span or of its resource."""
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in span.attributes}


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Collector]:
    """Run a collector whose address is in the SDK's own variables."""
    found = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", found.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{runner.addresses[0][1]}")
    yield found
    await runner.cleanup()


async def test_a_request_is_a_tree_of_spans(upstream: FakeUpstream, collector: Collector) -> None:
    """The request under the client's own span, its calls below it, their attempts below those; times nest."""
    details = {"cached_tokens": 80, "cache_write_tokens": 15}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": details}
    upstream.script("a", status(503), answer("one", usage=usage, extra={"model": "a-2026"}))
    upstream.script("b", answer("two", usage=(90, 20)))
    upstream.script("c", answer(SECRET, usage=(200, 30)))
    price = Price(Decimal(1), Decimal(2))
    models = [model(name, upstream, provider="mistral", price=price, params={"temperature": 0}) for name in "abc"]
    async with running(settings(models, panel=("a", "b"), critic=Critic("c")), export_spans=True) as gateway:
        headers = {"traceparent": TRACEPARENT, "x-request-id": "mine"}
        reply = await gateway.chat(ask(SECRET, max_tokens=50), headers=headers)
    (root,) = collector.roots()
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert root.name == "POST /v1/chat/completions"
    told = said(root)
    assert told["http.response.status_code"] == 200
    assert told["gen_ai.response.id"] == reply.json["id"]
    assert (told["mom.request_id"], told["mom.mixture"], told["mom.mode"]) == ("mine", "mom", "fuse")
    assert told["mom.cost"] == pytest.approx(reply.json["usage"]["mom"]["cost"])
    calls = collector.below(root)
    assert sorted((call.name, said(call)["mom.role"]) for call in calls) == [
        ("chat a", "proposer"),
        ("chat b", "proposer"),
        ("chat c", "critic"),
    ]
    first = next(call for call in calls if call.name == "chat a")
    told = said(first)
    assert told["gen_ai.provider.name"] == "mistral_ai"
    assert (told["gen_ai.request.model"], told["gen_ai.response.model"]) == ("a", "a-2026")
    assert (told["gen_ai.request.max_tokens"], told["gen_ai.request.temperature"]) == (50, 0.0)
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (100, 10)
    assert told["gen_ai.usage.cache_read.input_tokens"] == 80
    assert told["gen_ai.usage.cache_creation.input_tokens"] == 15
    assert upstream.base_url == f"http://{told['server.address']}:{told['server.port']}/v1"
    failed, retried = collector.below(first)
    assert (said(failed)["error.type"], said(failed)["http.response.status_code"]) == ("server_error", 503)
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert (said(retried)["mom.attempt"], said(retried)["http.request.resend_count"]) == ("retry", 1)
    assert [event.name for event in retried.events] == ["first byte"]
    for outer, inner in [(root, call) for call in calls] + [(first, failed), (first, retried)]:
        assert outer.start_time_unix_nano <= inner.start_time_unix_nano
        assert inner.end_time_unix_nano <= outer.end_time_unix_nano
    sums = [sum(said(call)[f"gen_ai.usage.{kind}_tokens"] for call in calls) for kind in ("input", "output")]
    assert sums == [reply.json["usage"]["mom"][f"{kind}_tokens"] for kind in ("prompt", "completion")]


async def test_nothing_that_was_said_is_in_a_span(upstream: FakeUpstream, collector: Collector) -> None:
    """No prompt, no answer, no upstream's message; and every name is one of the conventions' or our own."""
    upstream.script("a", status(400, body={"error": {"message": SECRET}}))
    upstream.script("b", answer(SECRET, extra={"model": {"odd": SECRET}}))
    models = [model(name, upstream) for name in "ab"]
    async with running(settings(models, critic=Critic("b")), export_spans=True) as gateway:
        await gateway.chat(ask(SECRET, stop=[SECRET], user=SECRET))
    assert collector.spans
    assert SECRET.encode() not in collector.raw
    names = {name for span in collector.spans for name in said(span)}
    known = {value for value in vars(gen_ai_attributes).values() if isinstance(value, str)}
    assert {name for name in names if name.startswith("gen_ai.")} <= known
    assert {name.split(".")[0] for name in names} <= {"gen_ai", "http", "url", "server", "error", "mom"}


async def test_stragglers_and_leaving_clients_are_cancelled(upstream: FakeUpstream, collector: Collector) -> None:
    """A straggler's call is no error; neither is a client that hangs up."""
    upstream.script("b", hang())
    config = settings([model(name, upstream) for name in "ab"], quorum=1, grace_s=0.01)
    async with running(config, export_spans=True) as gateway:
        await gateway.chat()
        upstream.script("a", hang())
        leaving = asyncio.create_task(gateway.chat())
        await upstream.wait_for(4)
        leaving.cancel()
        await upstream.wait_idle()
    answered, left = sorted(collector.roots(), key=lambda span: span.start_time_unix_nano)
    straggler = next(call for call in collector.below(answered) if call.name == "chat b")
    assert (said(straggler)["mom.outcome"], straggler.status.code) == ("cancelled", Status.STATUS_CODE_UNSET)
    assert (said(left)["mom.outcome"], left.status.code) == ("cancelled", Status.STATUS_CODE_UNSET)
    assert "http.response.status_code" not in said(left)


async def test_refusals_and_failures_say_their_code(upstream: FakeUpstream, collector: Collector) -> None:
    """A client's mistake is no failure of the server's; probes and scrapes leave no span."""
    upstream.default = status(500)
    async with running(settings([model("a", upstream, retries=0)]), export_spans=True) as gateway:
        await gateway.chat(data=b"no JSON", headers={"Content-Type": "application/json"})
        await gateway.chat()
        for path in ("/healthz", "/readyz", "/metrics"):
            await gateway.request("GET", path)
        await gateway.request("GET", "/v1/models/a")
    told = {str(said(span).get("error.type")): span for span in collector.roots()}
    assert said(told["None"])["http.route"] == "/v1/models/{id}"
    assert told["None"].status.code == Status.STATUS_CODE_UNSET
    assert told["upstream_error"].status.code == Status.STATUS_CODE_ERROR
    assert told[next(name for name in told if "json" in name)].status.code == Status.STATUS_CODE_UNSET
    assert len(told) == 3


async def test_a_client_that_does_not_sample_is_heeded(upstream: FakeUpstream, collector: Collector) -> None:
    """Its flag says that this trace is not kept."""
    async with running(settings([model("a", upstream)]), export_spans=True) as gateway:
        await gateway.chat(headers={"traceparent": TRACEPARENT.removesuffix("01") + "00"})
        await gateway.chat(headers={"traceparent": "nonsense"})
    (root,) = collector.roots()
    assert root.trace_id.hex() != TRACE_ID
    assert not root.parent_span_id


async def test_an_unreachable_collector_delays_no_request(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are answered as ever, and the end waits no longer than it says."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(otel, "FLUSH_S", 0.05)
    async with running(settings([model("a", upstream)]), export_spans=True) as gateway:
        assert (await gateway.chat()).status == 200


async def test_the_process_sends_pending_spans_before_it_ends(
    upstream: FakeUpstream, collector: Collector, tmp_path: Path
) -> None:
    """The variable alone switches it on; SIGTERM does not cost the last request's spans."""
    config = tmp_path / "config.yaml"
    config.write_text(f"models: [{{name: a, base_url: '{upstream.base_url}', api_key: none, model: a}}]")
    async with served(config) as (child, gateway):
        reply = await gateway.chat()
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), PATIENCE_S) == 0
    (root,) = collector.roots()
    assert said(root)["gen_ai.response.id"] == reply.json["id"]
    (service,) = {str(said(each.resource)["service.name"]) for each in collector.requests[0].resource_spans}
    assert service == "mom-gateway"
