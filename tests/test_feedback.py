"""Feedback through the whole gateway: an answer goes out, comes back in each client API, and is judged."""

from typing import Any

import pytest

from config.settings import Server
from handlers.feedback_loop import FeedbackLoop
from handlers.lifecycle.snapshots import SNAPSHOTS
from synth.feedback.answer_record import identify_member
from synth.feedback.trust import name_scope
from tests.fakes import FakeUpstream, answer, status, tool_call
from tests.running import Gateway, model, running, settings

ONE = "The answer is the number forty-two."
OTHER = "The answer is the number forty-three."
ASKED = {"role": "user", "content": "Why?"}
COMPLAINT = {"role": "user", "content": "That's wrong."}
TOOL = {"name": "edit", "description": "Edits.", "parameters": {"type": "object", "properties": {}}}


def configured(upstream: FakeUpstream, **mixture: Any) -> Any:
    upstream.script("a", answer(ONE))
    upstream.script("b", answer(OTHER))
    models = [model(name, upstream, retries=0) for name in "ab"]
    return settings(models, **{"critic": None, "mode": "select", **mixture})


def feedback_of(gateway: Gateway) -> FeedbackLoop:
    assert gateway.app is not None
    feedback = gateway.app[SNAPSHOTS].current.feedback
    assert feedback is not None
    return feedback


def count(
    feedback: FeedbackLoop, name: str, api: str, kind: str = "plain -", count: str = "front"
) -> tuple[float, float]:
    """Return how often a model was right and wrong, at one kind of task in one API."""
    rate = feedback.trust.rate(name_scope("mom", f"{kind} {api}"), identify_member(name, name), count)
    return round(rate.right, 3), round(rate.wrong, 3)


async def test_feedback_arrives_through_chat_completions(upstream: FakeUpstream) -> None:
    """Chat Completions, streamed: the client puts the pieces together, and strips them."""
    async with running(configured(upstream)) as gateway:
        first = await gateway.chat({"messages": [ASKED], "stream": True})
        said = {"role": "assistant", "content": first.streamed().strip()}
        await gateway.chat({"messages": [ASKED, said, COMPLAINT]})
        await feedback_of(gateway).write()
        assert count(feedback_of(gateway), "a", "chat") == (0, 1)


async def test_feedback_arrives_through_messages(upstream: FakeUpstream) -> None:
    """Anthropic's Messages: the answer is returned as blocks."""
    async with running(configured(upstream)) as gateway:
        asked = {"model": "mom", "max_tokens": 99}
        first = await gateway.request("POST", "/v1/messages", json={**asked, "messages": [ASKED]})
        said = {"role": "assistant", "content": first.json["content"]}
        await gateway.request("POST", "/v1/messages", json={**asked, "messages": [ASKED, said, COMPLAINT]})
        await feedback_of(gateway).write()
        assert count(feedback_of(gateway), "a", "messages") == (0, 1)


async def test_feedback_arrives_through_responses(upstream: FakeUpstream) -> None:
    """OpenAI's Responses: the answer is returned as the items of the output."""
    async with running(configured(upstream)) as gateway:
        first = await gateway.request("POST", "/v1/responses", json={"model": "mom", "input": [ASKED]})
        items = [ASKED, *first.json["output"], COMPLAINT]
        await gateway.request("POST", "/v1/responses", json={"model": "mom", "input": items})
        await feedback_of(gateway).write()
        assert count(feedback_of(gateway), "a", "responses") == (0, 1)


async def test_feedback_on_an_agent_s_edit_arrives(upstream: FakeUpstream) -> None:
    """An agent's edit that fails counts for the panel's tool turns; the agent has completed the arguments."""
    async with running(configured(upstream, critic=None)) as gateway:
        upstream.script("a", answer(None, tool_calls=[tool_call("edit", '{"path": "x"}', call_id="call_1a2b3c4d5e6f")]))
        tools = {"tools": [{"type": "function", "function": TOOL}]}
        first = await gateway.chat({"messages": [ASKED], **tools})
        said = first.json["choices"][0]["message"]
        said["tool_calls"][0]["function"]["arguments"] = '{"all": false, "path": "x"}'
        result = {
            "role": "tool",
            "tool_call_id": said["tool_calls"][0]["id"],
            "content": "Could not find oldString in the file",
        }
        await gateway.chat({"messages": [ASKED, said, result], **tools})
        feedback = feedback_of(gateway)
        await feedback.write()
        found = [(each.scope, each.member, each.name) for each in await feedback.read_counts()]
        assert found == [(name_scope("mom", "tools - chat"), "", "wrong")]


@pytest.mark.parametrize(("learn", "n_requests"), [("shadow", 10), ("on", 60)])
async def test_learnt_order_changes_the_answer(upstream: FakeUpstream, learn: str, n_requests: int) -> None:
    """With `learn: on` the member that is wrong again and again no longer decides ties; in `shadow` the log says so."""
    async with running(configured(upstream, learn=learn, panel=("a", "b"))) as gateway:
        feedback = feedback_of(gateway)
        for number in range(n_requests):
            upstream.script("a", answer(f"{number}: {ONE}"))
            upstream.script("b", answer(f"{number}: {OTHER}"))
            first = await gateway.chat()
            verdict = "That works, thanks." if OTHER in first.text else "That's wrong."
            said = {"role": "assistant", "content": first.text}
            await gateway.chat({"messages": [ASKED, said, {"role": "user", "content": verdict}]})
            await feedback.write()
        texts = [(await gateway.chat()).text for _ in range(20)]
    n_of_b = sum(OTHER in text for text in texts)
    assert n_of_b >= 15 if learn == "on" else n_of_b == 0


async def test_a_failed_request_brings_news(upstream: FakeUpstream) -> None:
    """The complaint counts, although every model fails to answer it."""
    async with running(configured(upstream)) as gateway:
        first = await gateway.chat()
        for name in "ab":
            upstream.script(name, status(500))
        said = {"role": "assistant", "content": first.text}
        assert (await gateway.chat({"messages": [ASKED, said, COMPLAINT]})).status == 502
        await feedback_of(gateway).write()
        assert count(feedback_of(gateway), "a", "chat") == (0, 1)


async def test_feedback_is_on_the_page_of_models(upstream: FakeUpstream) -> None:
    """In plain words, for each mixture of which an answer was judged."""
    async with running(configured(upstream, server=Server(port=0, ui=True))) as gateway:
        first = await gateway.chat()
        headers = {"Accept": "text/html"}
        assert b"Feedback on" not in (await gateway.request("GET", "/ui/models", headers=headers)).raw
        said = {"role": "assistant", "content": first.text}
        await gateway.chat({"messages": [ASKED, said, COMPLAINT]})
        await feedback_of(gateway).write()
        page = (await gateway.request("GET", "/ui/models", headers=headers)).raw.decode()
    assert "Feedback on mom" in page
    assert "Too few answers were judged to tell: 1 of at least 20." in page
    assert "a was right in 0 % (" in page
    assert "plain - chat" in page


async def test_a_mixture_without_learning_remembers_nothing(upstream: FakeUpstream) -> None:
    """With `learn: off` nothing is remembered and nothing is counted."""
    async with running(configured(upstream, learn="off")) as gateway:
        first = await gateway.chat()
        said = {"role": "assistant", "content": first.text}
        await gateway.chat({"messages": [ASKED, said, COMPLAINT]})
        feedback = feedback_of(gateway)
        await feedback.write()
        assert await feedback.read_counts() == []
