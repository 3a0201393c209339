"""Conversations and candidates that do not fit a model's context."""

from typing import Any

from config.settings import Critic
from tests.fakes import FakeUpstream, answer, context_length, from_request
from tests.running import ask, model, running, settings


def n_shown(body: Any) -> int:
    return str(body["messages"][-1]["content"]).count("===== BEGIN")


async def test_a_proposer_that_cannot_hold_the_conversation_is_left_out(upstream: FakeUpstream) -> None:
    """Recorded, not failed."""
    models = [model("a", upstream), model("small", upstream, context_tokens=300)]
    async with running(settings(models)) as gateway:
        reply = await gateway.chat(ask("x" * 400))
    assert reply.headers["x-mom-candidates"] == "1/1"
    assert upstream.requests_for("small") == []


async def test_whole_candidates_are_dropped_for_the_critic_worst_first(upstream: FakeUpstream) -> None:
    """What would not fit is not shown; nothing is cut."""
    for name in "abc":
        upstream.script(name, answer(f"{name} " * 600))
    upstream.script("critic", from_request(lambda body: f"saw {n_shown(body)}"))
    models = [*(model(name, upstream) for name in "abc"), model("critic", upstream, context_tokens=1400)]
    async with running(settings(models, panel=tuple("abc"), critic=Critic("critic"))) as gateway:
        reply = await gateway.chat()
    assert reply.text == "saw 2"
    shown = str(upstream.requests_for("critic")[0].body["messages"])
    assert "a a a" in shown
    assert "c c c" not in shown


async def test_an_overflow_that_was_not_foreseen_drops_one_more_once(upstream: FakeUpstream) -> None:
    """Where the window is not known, or the estimate was wrong; then the best candidate stands."""
    for name in "abc":
        upstream.script(name, answer(name))
    upstream.script("critic", from_request(lambda body: context_length() if n_shown(body) > 2 else "fits"))
    models = [model(name, upstream) for name in ("a", "b", "c", "critic")]
    setting = settings(models, panel=tuple("abc"), critic=Critic("critic"))
    async with running(setting) as gateway:
        assert (await gateway.chat()).text == "fits"
        upstream.script("critic", context_length())
        reply = await gateway.chat()
    assert (reply.text, reply.headers["x-mom-decided-by"]) == ("a", "best_candidate")
    assert len(upstream.requests_for("critic")) == 4


async def test_a_choice_among_too_many_is_asked_for_once_more(upstream: FakeUpstream) -> None:
    """With one candidate less; then the panel's order decides."""
    for name in "abc":
        upstream.script(name, answer(f'{{"n": "{name}"}}'))
    upstream.script("critic", from_request(lambda body: context_length() if n_shown(body) > 2 else "A"))
    models = [model(name, upstream) for name in ("a", "b", "c", "critic")]
    setting = settings(models, panel=tuple("abc"), critic=Critic("critic"), mode="select", orders=1)
    async with running(setting) as gateway:
        reply = await gateway.chat(ask(response_format={"type": "json_object"}))
    assert reply.headers["x-mom-decided-by"] == "chosen"
    assert [n_shown(request.body) for request in upstream.requests_for("critic")] == [3, 2]
