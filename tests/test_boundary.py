"""What happens when our own code is at fault."""

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
    """500 in OpenAI's shape; the traceback is in the log, under the request's id."""
    monkeypatch.setattr(mixture, "MODES", {"fuse": _broken})
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat(headers={"x-request-id": "find-me"})
    assert (reply.status, reply.error["code"]) == (500, "internal_error")
    assert "secret detail" not in reply.raw.decode()
    log = capsys.readouterr().out
    assert "RuntimeError: a secret detail" in log
    assert "find-me" in log


async def test_after_the_first_byte_it_is_an_event(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second response is never spliced into a stream."""
    monkeypatch.setattr(mixture, "MODES", {"fuse": _broken_later})
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat(ask(stream=True))
    assert reply.status == 200
    assert reply.streamed() == "begun"
    assert reply.events[-1]["error"]["code"] == "internal_error"
    assert reply.raw.count(b"HTTP/1.1") == 0
    assert "RuntimeError" in capsys.readouterr().out
