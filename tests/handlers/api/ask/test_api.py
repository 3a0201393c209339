"""The page's client API."""

import json

import pytest

from config.settings import Server
from handlers.api.ask.api import AskApi
from handlers.errors import ApiError

BODY = json.dumps({"model": "mom", "messages": [{"role": "user", "content": "Why?"}], "n": 3, "stream": False}).encode()


def test_a_question_always_streams_one_answer() -> None:
    """Whatever the body asks for; everything else is as in Chat Completions."""
    chat = AskApi().parse(BODY, "application/json").chat
    assert (chat.model, chat.stream, chat.n) == ("mom", True, 1)
    assert list(chat.messages) == [{"role": "user", "content": "Why?"}]


@pytest.mark.parametrize("kind", [None, "", "text/plain", "multipart/form-data; boundary=x"])
def test_only_json_is_a_question(kind: str | None) -> None:
    """The forms of a browser can send any other type to any site without asking."""
    with pytest.raises(ApiError) as refused:
        AskApi().parse(BODY, kind)
    assert refused.value.status == 415


def test_members_are_shown_several_times_a_second() -> None:
    """From the beginning, whatever the heartbeat of other streams."""
    pulse = AskApi().pulse(Server(stream_heartbeat_s=0))
    assert 0 < pulse.first_s <= 0.5
    assert pulse.interval_s == pulse.first_s
