"""Finding models whose upstream never reads a prompt from its cache."""

from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.settings import Price, Server
from handlers.telemetry.cache_watch import TURNS, CacheWatch
from tests.fakes import FakeUpstream, answer
from tests.running import ask, model, running, settings
from upstream.calls import Attempt, Call

QUESTION, ANSWER = {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}
LONG = {"prompt_tokens": 2000, "completion_tokens": 5}


def call(usage: Any, *, messages: Any = (QUESTION, ANSWER, QUESTION), outcome: str = "ok", **fields: Any) -> Call:
    made = Call(model("a", "http://h", **fields), "proposer", messages, {}, 60.0, outcome=outcome, ended=1.0)
    made.attempts.append(Attempt(0.0, 1.0, outcome="ok", sent=True, usage=usage))
    return made


def test_ten_turns_without_cached_tokens_are_reported_once() -> None:
    """One line in the log; a turn with cached tokens begins the count anew."""
    watch = CacheWatch()
    with capture_logs() as log:
        for _ in range(TURNS + 2):
            watch.note([call(LONG)])
    assert [(line["event"], line["model"], line["turns"]) for line in log] == [("prompt cache unused", "a", 10)]
    assert watch.uncached() == {"a": 12}
    watch.note([call({**LONG, "prompt_tokens_details": {"cached_tokens": 1024}})])
    assert watch.uncached() == {}


@pytest.mark.parametrize(
    "options",
    [
        {"usage": {**LONG, "prompt_tokens": 1000}},
        {"usage": None},
        {"messages": [QUESTION]},
        {"outcome": "timeout"},
        {"price": Price(Decimal(0), Decimal(0))},
    ],
)
def test_other_calls_say_nothing_of_a_cache(options: dict[str, Any]) -> None:
    """Short or uncounted prompts, first turns, failures, and models that cost nothing."""
    watch = CacheWatch()
    for _ in range(TURNS):
        watch.note([call(**{"usage": LONG, **options})])
    assert watch.uncached() == {}


async def test_a_running_gateway_lists_them(upstream: FakeUpstream) -> None:
    """At /readyz, which needs no key."""
    upstream.script("a", answer("Yes.", usage=(2000, 5)))
    async with running(settings([model("a", upstream)], server=Server(port=0))) as gateway:
        for _ in range(TURNS):
            await gateway.chat({**ask(), "model": "a", "messages": [QUESTION, ANSWER, QUESTION]})
        assert (await gateway.request("GET", "/readyz")).json["uncached"] == {"a": TURNS}
