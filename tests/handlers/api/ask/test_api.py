"""The page's client API."""

import json
from pathlib import Path

import pytest

from config.settings import Server
from handlers.api.ask.api import AskApi
from tests.fakes import FakeUpstream
from tests.running import model, running, settings

BODY = {"model": "mom", "messages": [{"role": "user", "content": "Why?"}], "n": 3, "stream": False}


def test_a_question_always_streams_one_answer() -> None:
    """Whatever the body asks for; everything else is as in Chat Completions."""
    chat = AskApi().parse(BODY).chat
    assert (chat.model, chat.stream, chat.n) == ("mom", True, 1)
    assert list(chat.messages) == [{"role": "user", "content": "Why?"}]


@pytest.mark.parametrize("kind", [None, "", "text/plain", "multipart/form-data; boundary=x"])
async def test_only_json_is_a_question(upstream: FakeUpstream, tmp_path: Path, kind: str | None) -> None:
    """The forms of a browser can send any other type to any site without asking."""
    headers = {} if kind is None else {"Content-Type": kind}
    async with running(settings([model("a", upstream)]), trace_dir=tmp_path) as gateway:
        refused = await gateway.request(
            "POST", "/ui/ask", data=json.dumps(BODY), headers=headers, skip_auto_headers=["Content-Type"]
        )
    assert refused.status == 415
    assert upstream.requests == []


def test_members_are_shown_several_times_a_second() -> None:
    """From the beginning, whatever the heartbeat of other streams."""
    pulse = AskApi().pulse(Server(stream_heartbeat_s=0))
    assert 0 < pulse.first_s <= 0.5
    assert pulse.interval_s == pulse.first_s
