"""Structured output, pictures, several choices, and other features of requests."""

import json
from typing import Any

import pytest

from config.settings import Critic, Settings
from tests.fakes import FakeUpstream, answer, context_length, status
from tests.running import ask, model, running, settings

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
WANTS_SCHEMA = {"type": "json_schema", "json_schema": {"name": "count", "schema": SCHEMA, "strict": True}}
WANTS_OBJECT = {"type": "json_object"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def config(upstream: FakeUpstream, *critic: Any, **mixture: Any) -> Settings:
    upstream.script("a", answer('{"n": 1}'))
    upstream.script("b", answer('{"n": 2}'))
    upstream.script("c", *critic)
    models = [model(name, upstream, retries=0) for name in "abc"]
    return settings(models, **{"panel": ("a", "b"), "critic": Critic("c"), "mode": "fuse", **mixture})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("text", ['{"n": 3}', '```json\n{"n": 3}\n```\n'])
async def test_json_comes_without_a_fence(upstream: FakeUpstream, text: str, stream: bool) -> None:
    """A client's parser gets JSON and nothing else."""
    async with running(config(upstream, answer(text))) as gateway:
        reply = await gateway.chat(ask(response_format=WANTS_SCHEMA, stream=stream))
    assert (reply.streamed() if stream else reply.text) == '{"n": 3}'
    assert upstream.requests[0].body["response_format"] == WANTS_SCHEMA


@pytest.mark.parametrize("stream", [False, True])
async def test_json_that_breaks_the_schema_is_revised_once(upstream: FakeUpstream, stream: bool) -> None:
    """The finding names the place; nothing of the first draft reaches the client."""
    async with running(config(upstream, answer('{"n": "three"}'), answer('{"n": 3}'))) as gateway:
        reply = await gateway.chat(ask(response_format=WANTS_SCHEMA, stream=stream))
    assert (reply.streamed() if stream else reply.text) == '{"n": 3}'
    finding = upstream.requests_for("c")[1].body["messages"][-1]["content"]
    assert 'at $.n: "three" is not of type "integer"' in finding


async def test_a_critic_that_cannot_give_json_leaves_the_best_valid_candidate(upstream: FakeUpstream) -> None:
    """The first candidate in the panel's order that keeps the contract."""
    setting = config(upstream, answer("Sorry"))
    upstream.script("a", answer("not JSON"))
    async with running(setting) as gateway:
        reply = await gateway.chat(ask(response_format=WANTS_OBJECT))
    assert reply.text == '{"n": 2}'
    assert len(upstream.requests_for("c")) == 2


async def test_if_no_model_gives_json_the_error_has_the_findings(upstream: FakeUpstream) -> None:
    """502, with the finding on each model's answer."""
    upstream.default = answer("Sorry")
    async with running(settings([model(name, upstream) for name in "ab"])) as gateway:
        reply = await gateway.chat(ask(response_format=WANTS_OBJECT))
    assert (reply.status, reply.error["code"]) == (502, "invalid_answer")
    assert {cause["model"] for cause in reply.error["causes"]} == {"a", "b"}
    assert "is not JSON" in reply.error["message"]


async def test_equal_json_needs_no_critic(upstream: FakeUpstream) -> None:
    """Equal as values: order of keys and white space do not matter."""
    upstream.script("a", answer('{"x": 1, "n": 1}'))
    upstream.script("b", answer('```\n{"n":1,"x":1}\n```'))
    async with running(settings([model(name, upstream) for name in "ab"])) as gateway:
        reply = await gateway.chat(ask(response_format=WANTS_OBJECT))
    assert reply.text == '{"x": 1, "n": 1}'
    assert len(upstream.requests) == 2


async def test_a_model_without_json_mode_is_asked_in_the_prompt(upstream: FakeUpstream) -> None:
    """Without the capability the field is left out, and the schema is in the prompt."""
    upstream.default = answer('{"n": 1}')
    weak = model("weak", upstream, capabilities=frozenset({"json_object"}))
    none = model("none", upstream, capabilities=frozenset())
    async with running(settings([weak, none])) as gateway:
        await gateway.chat(ask(response_format=WANTS_SCHEMA))
    by_model = {request.model: request.body for request in upstream.requests}
    assert by_model["weak"]["response_format"] == WANTS_OBJECT
    assert "response_format" not in by_model["none"]
    for body in by_model.values():
        assert json.dumps(SCHEMA) in body["messages"][-1]["content"]


async def test_an_invalid_schema_is_refused(upstream: FakeUpstream) -> None:
    """Before any model is asked."""
    bad = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "integre"}}}
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat(ask(response_format=bad))
    assert (reply.status, reply.error["param"]) == (400, "response_format.json_schema.schema")


async def test_a_model_that_cannot_see_is_left_out(upstream: FakeUpstream) -> None:
    """Recorded, not failed; the parts themselves pass untouched, and a blind critic reads a note."""
    blind = frozenset({"tools"})
    content = [{"type": "text", "text": "What is this?"}, PICTURE]
    upstream.script("a", answer("a cat"))
    upstream.script("b", answer("a dog"))
    models = [model("a", upstream), model("b", upstream), model("x", upstream, capabilities=blind)]
    critic = model("c", upstream, capabilities=blind)
    setting = settings([*models, critic], panel=("a", "b", "x"), critic=Critic("c"))
    async with running(setting) as gateway:
        reply = await gateway.chat({"messages": [{"role": "user", "content": content}]})
    assert reply.headers["x-mom-candidates"] == "2/2"
    assert upstream.requests_for("x") == []
    assert upstream.requests_for("a")[0].body["messages"][0]["content"] == content
    (critics,) = upstream.requests_for("c")
    seen = critics.body["messages"][0]["content"]
    assert [part["type"] for part in seen] == ["text", "text", "text"]
    assert "image_url stood here" in seen[1]["text"]


async def test_a_panel_without_any_model_that_can_see_is_an_error(upstream: FakeUpstream) -> None:
    """400 naming messages."""
    async with running(settings([model("a", upstream, capabilities=frozenset())])) as gateway:
        reply = await gateway.chat({"messages": [{"role": "user", "content": [PICTURE]}]})
    assert (reply.status, reply.error["param"]) == (400, "messages")


@pytest.mark.parametrize("stream", [False, True])
async def test_n_choices_are_n_syntheses_of_one_panel_run(upstream: FakeUpstream, stream: bool) -> None:
    """The panel is asked once, the critic n times."""
    verdicts = [answer(f"verdict {number}") for number in range(3)]
    async with running(config(upstream, *verdicts)) as gateway:
        reply = await gateway.chat(ask(n=3, stream=stream))
    texts = (
        [reply.streamed(choice=number) for number in range(3)]
        if stream
        else [choice["message"]["content"] for choice in reply.json["choices"]]
    )
    assert sorted(texts) == ["verdict 0", "verdict 1", "verdict 2"]
    assert len(upstream.requests) == 5
    assert all("n" not in request.body for request in upstream.requests)


async def test_n_of_a_single_model_asks_it_n_times(upstream: FakeUpstream) -> None:
    """Even if the upstream does not support n."""
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat(ask(n=2, model="a"))
    assert [choice["index"] for choice in reply.json["choices"]] == [0, 1]
    assert len(upstream.requests) == 2


async def test_logprobs_are_for_single_models(upstream: FakeUpstream) -> None:
    """An answer of several authors has none; one model's pass through."""
    logprobs = {"content": [{"token": "x", "logprob": -0.1}], "refusal": None}
    upstream.default = answer("x", choice={"logprobs": logprobs})
    async with running(settings([model("a", upstream), model("b", upstream)])) as gateway:
        refused = await gateway.chat(ask(logprobs=True))
        passed = await gateway.chat(ask(logprobs=True, model="a"))
    assert (refused.status, refused.error["param"]) == (400, "logprobs")
    assert passed.json["choices"][0]["logprobs"] == logprobs


async def test_a_context_overflow_is_reported_in_the_words_that_clients_know(upstream: FakeUpstream) -> None:
    """Aider and litellm look for them."""
    upstream.default = context_length()
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat()
    assert (reply.status, reply.error["code"]) == (400, "context_length_exceeded")
    assert "This model's maximum context length is" in reply.error["message"]


async def test_a_400_never_looks_like_a_429(upstream: FakeUpstream) -> None:
    """Some clients would retry it for ever."""
    message = "Your rate limit of 429 is 14290 tokens."
    upstream.default = status(400, body={"error": {"message": message}})
    async with running(settings([model("a", upstream)])) as gateway:
        reply = await gateway.chat()
    assert reply.status == 400
    assert "429" not in reply.error["message"]
    assert "rate limit" not in reply.error["message"].lower()


async def test_retry_after_is_bounded(upstream: FakeUpstream) -> None:
    """A minute at most, whatever an upstream says."""
    upstream.default = status(429, retry_after=4000)
    async with running(settings([model("a", upstream, retries=0)])) as gateway:
        assert (await gateway.chat()).headers["retry-after"] == "60"


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": ""}],
        [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}, {"role": "system", "content": "c"}],
        [{"role": "developer", "content": "a"}, {"role": "user", "content": "b"}],
        [{"role": "assistant", "content": None, "refusal": "no", "audio": None}, {"role": "user", "content": "b"}],
        [{"role": "user", "content": "b"}, {"role": "function", "name": "f", "content": "1"}],
    ],
)
async def test_message_shapes_of_real_clients_pass(upstream: FakeUpstream, messages: list[Any]) -> None:
    """As they are; nulls for every optional field as well."""
    nulls = dict.fromkeys(["temperature", "tools", "stop", "n", "stream", "max_tokens", "response_format", "user"])
    upstream.script("a", answer("one"), answer("done"))
    upstream.script("b", answer("two"))
    async with running(settings([model(name, upstream) for name in "ab"])) as gateway:
        reply = await gateway.chat({"messages": messages, **nulls})
    assert reply.status == 200
    assert upstream.requests[0].body["messages"] == messages


async def test_the_list_names_mixtures_first(upstream: FakeUpstream) -> None:
    """Each with its capabilities and context window."""
    models = [model("org/a", upstream, context_tokens=1000), model("b", upstream, context_tokens=500)]
    async with running(settings(models)) as gateway:
        listed = (await gateway.request("GET", "/v1/models")).json["data"]
        one = await gateway.request("GET", "/v1/models/org/a")
        none = await gateway.request("GET", "/v1/models/c")
    assert [entry["id"] for entry in listed] == ["mom", "org/a", "b"]
    assert listed[0]["context_window"] == 500
    assert "tools" in listed[0]["capabilities"]
    assert one.json["context_window"] == 1000
    assert (none.status, none.error["code"]) == (404, "model_not_found")
