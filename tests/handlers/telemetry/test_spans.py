"""Spans built from a request's record, without an exporter."""

from config.settings import Model, Secret
from handlers.request_record import RequestRecord
from handlers.telemetry.spans import FinishedRequest, request_span
from synth.ledger import Ledger
from upstream.calls import Attempt, Call

EPOCH = 1_700_000_000.0


def finished(record: RequestRecord, status: int = 200, method: str = "POST") -> FinishedRequest:
    path = "/v1/chat/completions"
    return FinishedRequest(record, "req-1", method, path, path, {}, status, 12.0, EPOCH)


def call() -> Call:
    model = Model("a", "https://user.example:8443/secret-path/v1", "openai", Secret("sk-key", "K"), "gpt")
    made = Call(model, "direct", [{"role": "user", "content": "PROMPT"}], {"temperature": 0, "seed": True}, 60.0)
    made.started, made.ended, made.outcome = 10.5, 11.5, "timeout"
    made.attempts = [
        Attempt(10.5, ended=11.0, outcome="timeout", status=None),
        Attempt(11.0, ended=11.5, first_byte=11.2, outcome="timeout", status=200),
    ]
    return made


def test_a_request_has_a_span_for_each_call_and_attempt() -> None:
    """Times are shifted to the epoch, and the second attempt is marked as a retry."""
    span = request_span(finished(RequestRecord("chatcmpl-1", 10.0, mode="direct", ledger=Ledger([call()]))))
    (child,) = span.children
    assert (span.started, span.ended) == (EPOCH + 10, EPOCH + 12)
    assert (child.name, child.failed, child.started) == ("chat gpt", "timeout", EPOCH + 10.5)
    assert [each.attributes["mom.attempt"] for each in child.children] == ["first", "retry"]
    assert child.children[1].moments == (("first byte", EPOCH + 11.2),)


def test_spans_hold_no_text_and_no_url() -> None:
    """Neither the prompt nor the key nor the path of an upstream, which may be a key, is in any attribute."""
    span = request_span(finished(RequestRecord("chatcmpl-1", 10.0, mode="direct", ledger=Ledger([call()]))))
    shown = repr(span)
    assert not any(secret in shown for secret in ("PROMPT", "sk-key", "secret-path"))
    assert (span.children[0].attributes["server.address"], span.children[0].attributes["server.port"]) == (
        "user.example",
        8443,
    )


def test_parameters_of_the_wrong_type_are_left_out() -> None:
    """A boolean is no seed, although Python counts it among the integers."""
    attributes = (
        request_span(finished(RequestRecord("chatcmpl-1", 10.0, mode="direct", ledger=Ledger([call()]))))
        .children[0]
        .attributes
    )
    assert attributes["gen_ai.request.temperature"] == 0.0
    assert "gen_ai.request.seed" not in attributes


def test_only_a_server_error_fails_the_span() -> None:
    """A 4xx has an `error.type` and no failed status, as the conventions for servers say; methods are a closed set."""
    refused = request_span(finished(RequestRecord(error={"code": "model_not_found"}), 404, method="BREW"))
    failed = request_span(finished(RequestRecord(error={"code": None}), 502))
    assert (refused.failed, refused.attributes["error.type"]) == (None, "model_not_found")
    assert refused.attributes["http.request.method"] == "_OTHER"
    assert failed.failed == "502"
