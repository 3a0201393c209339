"""The chat handler: the resolution of names and modes, and faults of our own code."""

import pytest

from synth import mixture
from synth.events import Answered, TextDelta
from synth.modes.outcomes import Case
from tests.fakes import FakeUpstream
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
