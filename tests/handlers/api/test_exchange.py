"""One exchange of any client API: names and modes, reports of failures, and faults of our own code."""

import asyncio
import re

import pytest
from structlog.testing import capture_logs

from config.settings import Critic
from handlers.api import exchange
from synth import mixture
from synth.events import Answered, TextDelta
from synth.modes.outcomes import Case
from tests.fakes import FakeUpstream, after, answer, status
from tests.fakes import reply as raw_reply
from tests.running import ask, model, running, settings


async def _broken(_case: Case) -> Answered:
    raise RuntimeError("a secret detail")


async def _broken_later(case: Case) -> Answered:
    await case.run.emit(TextDelta("begun"))
    raise RuntimeError("a secret detail")


async def test_an_unexpected_exception_is_logged_and_not_echoed(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The client gets a 500 in OpenAI's shape; the traceback is in the log under the request's id."""
    monkeypatch.setattr(mixture, "MODES", {"fuse": _broken})
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat(headers={"x-request-id": "find-me"})
    assert (reply.status, reply.error["code"]) == (500, "internal_error")
    assert "secret detail" not in reply.raw.decode()
    log = capsys.readouterr().out
    assert "RuntimeError: a secret detail" in log
    assert "find-me" in log


async def test_after_the_first_byte_an_unexpected_exception_is_an_event(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault after the first byte ends the stream with an error event, never with a second response."""
    monkeypatch.setattr(mixture, "MODES", {"fuse": _broken_later})
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat(ask(stream=True))
    assert reply.status == 200
    assert reply.streamed() == "begun"
    assert reply.events[-1]["error"]["code"] == "internal_error"
    assert reply.raw.count(b"HTTP/1.1") == 0
    assert "RuntimeError" in capsys.readouterr().out


async def test_an_unknown_model_is_a_404_that_lists_the_known_ones(upstream: FakeUpstream) -> None:
    """The message names every mixture and model, so that a typo needs no look into config.yaml."""
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat(ask(model="gpt-9"))
    assert (reply.status, reply.error["code"], reply.error["param"]) == (404, "model_not_found", "model")
    assert reply.error["message"] == "unknown model 'gpt-9'; available: mom, a"


async def test_a_header_chooses_the_mode(upstream: FakeUpstream) -> None:
    """`x-mom-mode` replaces the mixture's mode for one request; an unknown mode is a 400."""
    async with running(settings([model("a", upstream), model("b", upstream)])) as gateway:
        first = await gateway.chat(headers={"x-mom-mode": "first"})
        unknown = await gateway.chat(headers={"x-mom-mode": "best"})
    assert first.headers["x-mom-mode"] == "first"
    assert (unknown.status, unknown.error["param"]) == (400, "x-mom-mode")


@pytest.mark.parametrize("status_", [401, 402, 403, 404, 413, 429])
async def test_a_single_model_keeps_its_status(upstream: FakeUpstream, status_: int) -> None:
    """In both forms of reply; as a member of a mixture it is one of several causes."""
    upstream.default = status(status_)
    models = [model("a", upstream, retries=0), model("b", upstream, retries=0)]
    for stream in (False, True):
        async with running(settings(models)) as gateway:
            mixed = await gateway.chat(ask(stream=stream))
        async with running(settings(models)) as gateway:
            lone = await gateway.chat(ask(model="a", stream=stream))
        assert (lone.status, mixed.status) == (status_, 429 if status_ == 429 else 502)


async def test_the_log_names_failures_and_their_causes(upstream: FakeUpstream) -> None:
    """A member that drops out is visible in the one line of its request, with the provider's own words."""
    upstream.script("a", answer("fine"))
    upstream.script("b", raw_reply(b'{"error": {"message": "Not on a Monday", "code": "x"}}', code=400))
    with capture_logs() as log:
        async with running(settings([model("a", upstream), model("b", upstream, retries=0)])) as gateway:
            assert (await gateway.chat(ask())).status == 200
    (line,) = [line for line in log if line["event"] == "request"]
    assert line["panel"] == {"a": "ok", "b": "rejected"}
    assert line["failed"]["b"].startswith("rejected: ")
    assert "Not on a Monday" in line["failed"]["b"]


async def test_a_long_request_is_reported_once(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs, with the models that it waits for; a quick one never."""
    monkeypatch.setattr(exchange, "REPORT_AFTER_S", 0.05)
    gate = asyncio.Event()
    upstream.script("a", answer("quick"))
    upstream.script("b", after(gate, answer("late")))
    with capture_logs() as log:
        async with running(settings([model("a", upstream), model("b", upstream)])) as gateway:
            asking = asyncio.create_task(gateway.chat(headers={"x-request-id": "find-me"}))
            async with asyncio.timeout(30):
                while not [line for line in log if line["event"] == "request still running"]:  # noqa: ASYNC110 -- a log
                    await asyncio.sleep(0.01)
            gate.set()
            assert (await asking).status == 200
    (line,) = [line for line in log if line["event"] == "request still running"]
    assert (line["request_id"], line["mixture"]) == ("find-me", "mom")
    assert list(line["waits_for"]) == ["b"]
    assert "no reply yet" in line["waits_for"]["b"]


async def test_a_long_request_that_pauses_names_the_failure(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that refused and is retried later is not reported as answering."""
    monkeypatch.setattr(exchange, "REPORT_AFTER_S", 0.05)
    reported = asyncio.Event()
    upstream.script("a", status(429, retry_after=7), answer("late"))
    with capture_logs() as log:
        async with running(settings([model("a", upstream, retries=1)]), sleep=lambda _s: reported.wait()) as gateway:
            asking = asyncio.create_task(gateway.chat())
            async with asyncio.timeout(30):
                while not [line for line in log if line["event"] == "request still running"]:  # noqa: ASYNC110 -- a log
                    await asyncio.sleep(0.01)
            reported.set()
            assert (await asking).status == 200
    (line,) = [line for line in log if line["event"] == "request still running"]
    assert re.search(r", rate_limited, waits 7\.\d s to retry$", line["waits_for"]["a"])


async def test_a_stream_says_who_wrote_it(upstream: FakeUpstream) -> None:
    """Its headers leave before that is known, so the usage chunk has it, as the JSON reply has."""
    upstream.script("a", answer("one"))
    upstream.script("b", answer("two"))
    body = ask(stream=True, stream_options={"include_usage": True})
    async with running(settings([model("a", upstream), model("b", upstream)], critic=Critic("b"))) as gateway:
        streamed = (await gateway.chat(body)).events[-2]["usage"]["mom"]
        whole = await gateway.chat(ask())
    assert (streamed["decided_by"], streamed["author"]) == ("critic", "b")
    assert whole.json["usage"]["mom"]["author"] == whole.headers["x-mom-author"] == "b"
