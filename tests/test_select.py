"""The mode `select`: the client receives a candidate byte for byte."""

import asyncio
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from config.settings import Bypass, Critic, Settings
from tests.fakes import FakeUpstream, Step, answer, from_request, status
from tests.running import ask, model, running, settings

FENCED = re.compile(r"===== BEGIN ([A-Z]+) [0-9a-f]{16} =====\n(.*?)\n===== END", re.DOTALL)
WANTS_JSON: dict[str, Any] = {"response_format": {"type": "json_object"}}


def shown(body: Any) -> dict[str, str]:
    """Return the candidates that a critic reads, by letter."""
    return dict(FENCED.findall(str(body["messages"][-1]["content"])))


def prefers(text: str, word: str = "{letter}\nIt is right.") -> Step:
    """Return a critic that picks the candidate that contains `text`, in every order."""

    def verdict(body: Any) -> str:
        return next(word.format(letter=letter) for letter, candidate in shown(body).items() if text in candidate)

    return from_request(verdict)


def config(upstream: FakeUpstream, *critic: Step, **mixture: Any) -> Settings:
    upstream.script("a", answer('{"n": 1}'))
    upstream.script("b", answer('{ "n":2 }'))
    upstream.script("c", *critic)
    upstream.script("d", status(500))
    models = [model(name, upstream, retries=0) for name in "abcd"]
    critics = Critic("c", fallbacks=("d",))
    return settings(models, **{"panel": ("a", "b"), "critic": critics, "mode": "select", **mixture})


@pytest.mark.parametrize("stream", [False, True])
async def test_the_chosen_candidate_is_the_answer_byte_for_byte(upstream: FakeUpstream, stream: bool) -> None:
    """The critic is asked in both orders, for a few tokens, and picks the same one twice."""
    async with running(config(upstream, prefers("2"))) as gateway:
        reply = await gateway.chat(ask(max_tokens=5000, temperature=0.3, stream=stream, **WANTS_JSON))
    assert (reply.streamed() if stream else reply.text) == '{ "n":2 }'
    first, second = (request.body for request in upstream.requests_for("c"))
    assert list(shown(first).values()) == list(shown(second).values())[::-1]
    for body in (first, second):
        assert body["max_tokens"] == 400
        assert "response_format" not in body
        assert "temperature" not in body
    if not stream:
        assert reply.headers["x-mom-decided-by"] == "chosen"
        assert reply.headers["x-mom-mode"] == "select"


@pytest.mark.parametrize("word", ["A", "B", "Z", "Both are fine, honestly.", "I cannot say."])
async def test_a_pick_that_depends_on_the_order_does_not_count(upstream: FakeUpstream, word: str) -> None:
    """Always the same letter, a letter that does not exist, or talk: the panel's own order decides."""
    async with running(config(upstream, answer(word))) as gateway:
        reply = await gateway.chat(ask(**WANTS_JSON))
    assert reply.text == '{"n": 1}'
    assert reply.headers["x-mom-decided-by"] == "panel_order"


async def test_one_order_is_enough_if_the_operator_says_so(upstream: FakeUpstream) -> None:
    """`orders: 1` halves the price of a pick."""
    async with running(config(upstream, prefers("2"), orders=1)) as gateway:
        assert (await gateway.chat(ask(**WANTS_JSON))).text == '{ "n":2 }'
    assert len(upstream.requests_for("c")) == 1


async def test_invalid_candidates_are_out_and_one_outcome_needs_no_critic(upstream: FakeUpstream) -> None:
    """Two with the same JSON value are one; broken JSON is shown to nobody."""
    setting = config(upstream, answer("A"), panel=("a", "b", "e"))
    upstream.script("b", answer("{broken"))
    upstream.script("e", answer('{"n":1}'))
    models = (*setting.models, model("e", upstream))
    async with running(settings(models, panel=("b", "a", "e"), critic=Critic("c"), mode="select")) as gateway:
        reply = await gateway.chat(ask(**WANTS_JSON))
    assert reply.text == '{"n": 1}'
    assert reply.headers["x-mom-decided-by"] == "equal_candidates"
    assert upstream.requests_for("c") == []


async def test_without_a_valid_candidate_the_critic_writes(upstream: FakeUpstream) -> None:
    """And its answer is held to the contract."""
    setting = config(upstream, answer('{"n": 3}'))
    upstream.script("a", answer("no"))
    upstream.script("b", answer("neither"))
    async with running(setting) as gateway:
        assert (await gateway.chat(ask(**WANTS_JSON))).text == '{"n": 3}'


async def test_a_critic_s_own_answer_is_used(upstream: FakeUpstream) -> None:
    """If it keeps the contract and has the same outcome in both orders."""
    async with running(config(upstream, answer('{"n": 3}'))) as gateway:
        reply = await gateway.chat(ask(**WANTS_JSON))
    assert (reply.text, reply.headers["x-mom-decided-by"]) == ('{"n": 3}', "critic")


async def test_when_every_critic_fails_the_panel_s_order_decides(upstream: FakeUpstream) -> None:
    """Fallbacks first."""
    async with running(config(upstream, status(500))) as gateway:
        reply = await gateway.chat(ask(**WANTS_JSON))
    assert (reply.text, reply.headers["x-mom-decided-by"]) == ('{"n": 1}', "best_candidate")
    assert len(upstream.requests_for("d")) == 2


async def test_truncated_candidates_are_shown_only_if_there_are_no_others(upstream: FakeUpstream) -> None:
    """A truncated answer never beats a complete one."""
    setting = config(upstream, answer("A"))
    upstream.script("a", answer('{"n": 1}', finish_reason="length"))
    async with running(setting) as gateway:
        reply = await gateway.chat(ask(**WANTS_JSON))
    assert reply.text == '{ "n":2 }'
    assert upstream.requests_for("c") == []


async def test_the_likeliest_letter_counts_if_logprobs_are_given(upstream: FakeUpstream) -> None:
    """The sampled letter may be a less likely one."""

    def verdict(body: Any) -> Step:
        good = next(letter for letter, text in shown(body).items() if "2" in text)
        bad = next(letter for letter in shown(body) if letter != good)
        rivals = [{"token": good, "logprob": -0.1}, {"token": bad, "logprob": -2.3}]
        token = {"token": bad, "logprob": -2.3, "top_logprobs": rivals}
        return answer(bad, choice={"logprobs": {"content": [token]}})

    async with running(config(upstream, from_request(verdict))) as gateway:
        assert (await gateway.chat(ask(**WANTS_JSON))).text == '{ "n":2 }'
    assert upstream.requests_for("c")[0].body["logprobs"] is True


async def test_an_upstream_that_refuses_logprobs_is_asked_without(upstream: FakeUpstream) -> None:
    """Some models do not support them."""
    critic = from_request(lambda body: status(400) if "logprobs" in body else prefers("2"))
    async with running(config(upstream, critic)) as gateway:
        assert (await gateway.chat(ask(**WANTS_JSON))).text == '{ "n":2 }'
    assert len(upstream.requests_for("c")) == 4


async def test_auto_fuses_prose_and_chooses_among_code_and_json(upstream: FakeUpstream) -> None:
    """By the form that the request asks for, and by the form of the candidates."""
    code = "```python\ndef area(side):\n    return side * side * {number}\n```"
    for first, second, extra, mode in (
        ("Prose one.", "Prose two.", {}, "fuse"),
        ('{"n": 1}', '{"n": 2}', WANTS_JSON, "select"),
        (code.format(number=1), code.format(number=2), {}, "select"),
    ):
        setting = config(upstream, answer(json.dumps({"n": 4})), mode="auto")
        upstream.script("a", answer(first))
        upstream.script("b", answer(second))
        async with running(setting) as gateway:
            reply = await gateway.chat(ask(**extra))
        assert reply.headers["x-mom-mode"] == mode


async def test_first_takes_the_first_valid_candidate(upstream: FakeUpstream) -> None:
    """The rest is cancelled, and no critic is asked."""
    setting = config(upstream, answer("A"), mode="first")
    upstream.script("a", answer("not JSON"))
    async with running(setting) as gateway:
        reply = await gateway.chat(ask(**WANTS_JSON))
    assert reply.text == '{ "n":2 }'
    assert upstream.requests_for("c") == []


async def test_direct_is_the_critic_s_model_alone(upstream: FakeUpstream) -> None:
    """No panel."""
    async with running(config(upstream, answer("alone"), mode="direct")) as gateway:
        reply = await gateway.chat()
    assert reply.text == "alone"
    assert [request.model for request in upstream.requests] == ["c"]


async def test_a_request_may_ask_for_a_mode_of_its_own(upstream: FakeUpstream) -> None:
    """By the header x-mom-mode; an unknown mode is refused."""
    async with running(config(upstream, answer("alone"))) as gateway:
        reply = await gateway.chat(headers={"x-mom-mode": "direct"})
        refused = await gateway.chat(headers={"x-mom-mode": "guess"})
    assert (reply.text, reply.headers["x-mom-mode"]) == ("alone", "direct")
    assert (refused.status, refused.error["param"]) == (400, "x-mom-mode")
    assert "fuse, select" in refused.error["message"]


async def test_a_chore_goes_to_one_model(upstream: FakeUpstream) -> None:
    """Commit messages and the like need no panel; the header names the rule, and the critics step in on failure."""
    chore = {
        "messages": [
            {"role": "system", "content": "You write commit messages for diffs."},
            {"role": "user", "content": "+x"},
        ]
    }
    setting = config(upstream, answer("feat: add x"), bypass=Bypass(model="d"))
    async with running(setting) as gateway:
        reply = await gateway.chat(chore)
    assert reply.text == "feat: add x"
    assert reply.headers["x-mom-bypass"] == "commit-message"
    assert reply.headers["x-mom-decided-by"] == "bypass"
    assert [request.model for request in upstream.requests] == ["d", "c"]
    async with running(config(upstream, answer("A"), bypass=Bypass(built_in=False))) as gateway:
        assert "x-mom-bypass" not in (await gateway.chat(chore)).headers


async def said_by(word: str) -> str:
    async with FakeUpstream() as upstream, running(config(upstream, answer(word))) as gateway:
        reply = await gateway.chat(ask(**WANTS_JSON))
        return reply.text


@given(st.text(min_size=1).filter(str.strip))
@hypothesis_settings(max_examples=30)
def test_for_any_reply_of_a_critic_the_answer_is_a_candidate(word: str) -> None:
    """Byte for byte; random text is never a valid object of the critic's own."""
    assert asyncio.run(said_by(word)) in ('{"n": 1}', '{ "n":2 }', word)
