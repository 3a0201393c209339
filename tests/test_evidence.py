"""Candidates of code are run before one is chosen: the real gateway with its real sandbox."""

from typing import Any

import pytest

from config.settings import Critic, Settings
from runtime.sandbox.namespaces import Isolation, isolation
from tests.fakes import FakeUpstream, answer
from tests.running import ask, model, running, settings

QUESTION = '''Complete this function:

```python
def double(n: int) -> int:
    """Return twice n.

    >>> double(2)
    4
    >>> double(5)
    10
    """
```
'''


def code(body: str) -> str:
    return f"```python\ndef double(n: int) -> int:\n    {body}\n```"


RIGHT, ALSO_RIGHT = code("return 2 * n"), code("return n + n")
WRONG, ENDLESS, BROKEN = code("return n + 2"), code("while True: pass"), code("return n +")


def config(upstream: FakeUpstream, *texts: str, **mixture: Any) -> Settings:
    """Return settings of a panel a, b, … that answers with these texts, and of the critic z."""
    names = "abcd"[: len(texts)]
    for name, text in zip(names, texts, strict=True):
        upstream.script(name, answer(text))
    upstream.script("z", answer("A"))
    models = [model(name, upstream, retries=0) for name in (*names, "z")]
    return settings(models, **{"panel": tuple(names), "critic": Critic("z"), **mixture})


@pytest.mark.parametrize("mode", ["auto", "fuse", "select"])
async def test_the_candidate_that_passes_is_the_answer_without_a_critic(upstream: FakeUpstream, mode: str) -> None:
    """Though it is ranked last; the headers say how it was decided."""
    async with running(config(upstream, WRONG, ENDLESS, RIGHT, mode=mode)) as gateway:
        reply = await gateway.chat(ask(QUESTION))
    assert reply.text == RIGHT
    assert reply.headers["x-mom-decided-by"] == "evidence"
    assert reply.headers["x-mom-evidence"] == "ran=3 passed=1 by=examples"
    assert upstream.requests_for("z") == []


async def test_one_call_is_enough_if_the_first_answer_passes(upstream: FakeUpstream) -> None:
    """The other three proposers are not asked."""
    async with running(config(upstream, RIGHT, WRONG, WRONG, WRONG, stages=(1, 3), critic=None)) as gateway:
        reply = await gateway.chat(ask(QUESTION))
    assert (reply.text, len(upstream.requests)) == (RIGHT, 1)
    assert reply.headers["x-mom-decided-by"] == "evidence"


async def test_a_stream_brings_the_candidate_that_passes(upstream: FakeUpstream) -> None:
    """As the JSON reply does."""
    async with running(config(upstream, WRONG, RIGHT)) as gateway:
        reply = await gateway.chat(ask(QUESTION, stream=True))
    assert reply.streamed() == RIGHT


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": QUESTION}]}),
        ("/v1/messages", {"max_tokens": 100, "messages": [{"role": "user", "content": QUESTION}]}),
        ("/v1/responses", {"input": QUESTION}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_each_client_api_brings_the_candidate_that_passes(
    upstream: FakeUpstream, path: str, body: dict[str, Any], *, stream: bool
) -> None:
    """With the header that says what was found, also before a stream."""
    async with running(config(upstream, WRONG, RIGHT, critic=None)) as gateway:
        reply = await gateway.request("POST", path, json={"model": "mom", "stream": stream, **body})
    assert reply.headers["x-mom-evidence"] == "ran=2 passed=1 by=examples"
    assert b"n + 2" not in reply.raw
    assert b"2 * n" in reply.raw


@pytest.mark.parametrize("level", ["auto", "full"])
async def test_a_hostile_exception_is_put_into_words(upstream: FakeUpstream, level: str) -> None:
    """Its message reaches the model that repairs the code, without what cannot be encoded or controls a terminal."""
    hostile = code(r"raise ValueError('\ud800\x1b[31m\x00' + 'x' * 10000)")
    setting = config(upstream, hostile, hostile + " ", critic=None, repair=1, evidence=level)
    upstream.script("a", answer(hostile), answer(RIGHT))
    async with running(setting) as gateway:
        reply = await gateway.chat(ask(QUESTION))
    assert reply.text == RIGHT
    (_, repair) = upstream.requests_for("a")
    words = repair.body["messages"][-1]["content"]
    assert "ValueError: \ufffd\ufffd[31m\ufffdxxx" in words
    assert len(words) < 1000


async def test_a_conversation_keeps_its_examples(upstream: FakeUpstream) -> None:
    """What was shown in an earlier turn decides on the answer to a later one."""
    turns = [QUESTION, WRONG, "That is not twice n. Try again."]
    messages = [{"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(turns)]
    async with running(config(upstream, WRONG, RIGHT, critic=None, stages=(1, 1))) as gateway:
        reply = await gateway.chat({"model": "mom", "messages": messages})
    assert (reply.text, len(upstream.requests)) == (RIGHT, 2)


async def test_the_critic_reads_only_the_best_tier(upstream: FakeUpstream) -> None:
    """And the findings."""
    async with running(config(upstream, WRONG, RIGHT, ALSO_RIGHT, mode="select", orders=1)) as gateway:
        reply = await gateway.chat(ask(QUESTION))
    assert reply.text in (RIGHT, ALSO_RIGHT)
    assert reply.headers["x-mom-decided-by"] == "chosen"
    prompt = str(upstream.requests_for("z")[0].body["messages"][-1]["content"])
    assert "n + 2" not in prompt
    assert prompt.count("===== RUN ") == 2


async def test_in_shadow_nothing_is_decided(upstream: FakeUpstream) -> None:
    """The reply is that of a mixture without evidence."""
    for level in ("shadow", "off"):
        async with running(config(upstream, WRONG, RIGHT, evidence=level, critic=None)) as gateway:
            reply = await gateway.chat(ask(QUESTION))
        assert (reply.text, reply.headers["x-mom-decided-by"]) == (WRONG, "panel_order")
        assert "x-mom-evidence" not in reply.headers


async def test_code_that_does_not_load_ranks_last_without_examples(upstream: FakeUpstream) -> None:
    """Nothing else is known here."""
    question = "Complete this function:\n\n```python\ndef double(n: int) -> int:\n    ...\n```"
    async with running(config(upstream, BROKEN, RIGHT, critic=None)) as gateway:
        reply = await gateway.chat(ask(question))
    assert reply.text == RIGHT


async def test_prose_is_not_run(upstream: FakeUpstream) -> None:
    """A request without code has no evidence."""
    async with running(config(upstream, "Because.", "Since.", critic=None)) as gateway:
        reply = await gateway.chat(ask("Why?"))
    assert (reply.text, reply.headers["x-mom-decided-by"]) == ("Because.", "panel_order")
    assert "x-mom-evidence" not in reply.headers


async def test_code_that_fails_an_example_is_repaired(upstream: FakeUpstream) -> None:
    """By its author, who reads the example; the better of both is the answer."""
    setting = config(upstream, WRONG, critic=None, repair=1)
    upstream.script("a", answer(WRONG), answer(RIGHT))
    async with running(setting) as gateway:
        reply = await gateway.chat(ask(QUESTION))
    assert (reply.text, reply.headers["x-mom-decided-by"]) == (RIGHT, "evidence")
    assert "double(5)" in str(upstream.requests_for("a")[1].body["messages"][-1]["content"])


async def test_full_evidence_also_runs_code_that_monty_lacks(upstream: FakeUpstream) -> None:
    """Generators, here; if this system has namespaces. Elsewhere they are unknown, and the order decides."""
    wrong, right = (code(f"def each():\n        yield {value}\n    return list(each())[0]") for value in ("n", "2 * n"))
    async with running(config(upstream, wrong, right, critic=None, evidence="full")) as gateway:
        reply = await gateway.chat(ask(QUESTION))
    assert reply.text == (right if isolation() is Isolation.NAMESPACES else wrong)


async def test_the_shown_work_reports_stages_and_evidence(upstream: FakeUpstream) -> None:
    """In words, for a client that shows reasoning."""
    setting = config(upstream, WRONG, RIGHT, stages=(1, 1), critic=None, show_work=True)
    async with running(setting) as gateway:
        reply = await gateway.chat(ask(QUESTION))
    work = reply.json["choices"][0]["message"]["reasoning_content"]
    assert "0 of 1 candidates pass every example when run." in work
    assert "Not settled yet; stage 2 asks b." in work
    assert "1 of 2 candidates pass every example when run." in work


async def test_a_stream_without_examples_is_the_first_member_s(upstream: FakeUpstream) -> None:
    """Its words go out as they come, because no further member could be compared with it."""
    async with running(config(upstream, "Because of that.", RIGHT, stages=(1, 1), critic=None)) as gateway:
        reply = await gateway.chat(ask("Why?", stream=True))
        examples = await gateway.chat(ask(QUESTION, stream=True))
    assert (reply.streamed(), reply.headers["x-mom-bypass"]) == ("Because of that.", "nothing-to-rank-by")
    assert (
        len([event for event in reply.events if event != "[DONE]" and event["choices"][0]["delta"].get("content")]) > 2
    )
    assert examples.streamed() == RIGHT
